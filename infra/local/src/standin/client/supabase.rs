//! Supabase's projects.

use std::time::{Duration, Instant};

use super::{
    super::supabase::{Changed, Loss, Project, ProjectState, RowChange},
    Control, ControlError, PATIENCE, Result, done,
};

impl Control {
    /// A project's address, as a tenant gives it.
    pub fn supabase_url(&self, project: &str) -> String {
        self.url(&format!("supabase/{project}"))
    }

    /// Sets a project up, or changes how it is set up.
    pub async fn set_project(&self, name: &str, project: &Project) -> Result<()> {
        let url = self.control(&format!("supabase/{name}"), &[]);
        done(self.http.put(url).json(project)).await.map(drop)
    }

    /// Says which of a project's webhooks are lost from now on.
    pub async fn lose_webhooks(&self, project: &str, loss: Loss) -> Result<()> {
        self.set_project(project, &Project { loss: Some(loss), ..Project::default() }).await
    }

    /// Changes a row, and lets the project's webhooks tell of it.
    pub async fn change_row(&self, project: &str, change: RowChange) -> Result<Changed> {
        let url = self.control(&format!("supabase/{project}/rows"), &[]);
        let [changed]: [Changed; 1] = done(self.http.post(url).json(&change)).await?.json().await?;
        Ok(changed)
    }

    /// Changes rows in one transaction: they share its time.
    pub async fn change_rows(&self, project: &str, changes: &[RowChange]) -> Result<Vec<Changed>> {
        let url = self.control(&format!("supabase/{project}/rows"), &[]);
        Ok(done(self.http.post(url).json(changes)).await?.json().await?)
    }

    /// What is in a project, and what became of its webhooks.
    pub async fn project(&self, name: &str) -> Result<ProjectState> {
        let url = self.control(&format!("supabase/{name}"), &[]);
        Ok(done(self.http.get(url)).await?.json().await?)
    }

    /// Waits until none of a project's webhooks is under way, ten seconds at most.
    pub async fn webhooks_settled(&self, project: &str) -> Result<ProjectState> {
        let began = Instant::now();
        loop {
            let state = self.project(project).await?;
            if state.pending == 0 {
                return Ok(state);
            }
            if began.elapsed() > PATIENCE {
                return Err(ControlError::Unsettled { project: project.into(), pending: state.pending });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Forgets a project.
    pub async fn forget_project(&self, name: &str) -> Result<()> {
        let url = self.control(&format!("supabase/{name}"), &[]);
        done(self.http.delete(url)).await.map(drop)
    }
}
