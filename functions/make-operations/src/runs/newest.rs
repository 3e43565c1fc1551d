//! Reading a scenario's runs by time, the newest first.

use jiff::Timestamp;
use shared::{
    Error, Result, key,
    run::Run,
    scenario::Scenario,
    table::{Listed, Row, Table},
};

use crate::scenarios::{MOST_PAGES, PAGE};

/// The runs of a scenario between two moments, both included.
pub struct Stretch<'a> {
    /// Whose runs.
    pub scenario: &'a Scenario,
    /// The first moment.
    pub since: Timestamp,
    /// The last moment.
    pub until: Timestamp,
}

impl Stretch<'_> {
    /// The runs of a page, and where the next one goes on. A page that leaves runs out may hold fewer than asked for, and
    /// still have a next one: what it costs is bounded.
    pub async fn page(
        &self,
        table: &Table,
        limit: u16,
        after: Option<String>,
        takes: Option<&(dyn Fn(&Run) -> bool + Sync)>,
    ) -> Result<(Vec<Run>, Option<String>)> {
        let wanted = usize::from(limit);
        // What is left out is read in large pages, or a rare run would take a query for each other.
        let size = if takes.is_none() { limit } else { PAGE };
        let mut after: Option<Listed> = after.map(|text| read(&text)).transpose()?;
        let mut shown: Vec<Run> = Vec::new();
        for _ in 0..MOST_PAGES {
            let mut listed = self.listed(table, after.as_ref(), size).await?;
            let is_last = listed.len() < usize::from(size);
            let runs = rows(table, &listed).await?;
            shown.extend(runs.into_iter().filter(|run| takes.is_none_or(|takes| takes(run))));
            if shown.len() > wanted {
                shown.truncate(wanted);
                let last = shown.last().and_then(|run| Some(Listed::of(&run.key(), &run.index()?)));
                return Ok((shown, last.as_ref().map(write).transpose()?));
            }
            after = listed.pop();
            if is_last {
                return Ok((shown, None));
            }
            if shown.len() == wanted {
                break;
            }
        }
        Ok((shown, after.as_ref().map(write).transpose()?))
    }

    async fn listed(&self, table: &Table, after: Option<&Listed>, limit: u16) -> Result<Vec<Listed>> {
        let Scenario { tenant, id, .. } = self.scenario;
        let from = key::runs_by_time(*tenant, id, self.since, "");
        let to = key::runs_by_time(*tenant, id, self.until, "\u{10ffff}");
        table.list_index_newest(&from, &to, after, limit).await
    }
}

async fn rows(table: &Table, listed: &[Listed]) -> Result<Vec<Run>> {
    let keys: Vec<_> = listed.iter().map(Listed::key).collect();
    let mut runs: Vec<Run> = table.find_all(&keys).await?;
    runs.sort_by(|one, other| place(other).cmp(&place(one)));
    Ok(runs)
}

/// The index knows milliseconds.
fn place(run: &Run) -> (i64, &str) {
    (run.started_at.as_millisecond(), &run.id)
}

fn write(listed: &Listed) -> Result<String> {
    serde_json::to_string(listed).map_err(|cause| Error::internal("the end of a page", cause))
}

fn read(text: &str) -> Result<Listed> {
    serde_json::from_str(text)
        .map_err(|_| Error::invalid("?cursor", "is not a cursor of this list; begin again without one"))
}
