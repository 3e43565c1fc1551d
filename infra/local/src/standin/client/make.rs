//! Make's hooks, and what its API shows.

use serde_json::Value;

use super::{
    super::{
        make::Hook,
        make_api::{MakeAccount, MakeOrder, MakeRun},
    },
    Control, Result, done,
};

impl Control {
    /// Sets a Make hook's keys and limit.
    pub async fn set_hook(&self, hook: Hook) -> Result<()> {
        let url = self.control("hooks", &[]);
        done(self.http.put(url).json(&hook)).await.map(drop)
    }

    /// Sets up a customer of Make: an organisation with a token and a team, whose scenario is on and has a hook.
    pub async fn make_account(&self, zone: &str, order: &MakeOrder) -> Result<MakeAccount> {
        let url = self.control(&format!("make/{zone}/accounts"), &[]);
        Ok(done(self.http.post(url).json(order)).await?.json().await?)
    }

    /// Makes one of the `tokens`, `organizations`, `teams`, `scenarios` or `hooks`, or changes the one whose `id`
    /// (whose `token`) is given. The words are the vendor's.
    pub async fn make_put(&self, zone: &str, what: &str, said: Value) -> Result<Value> {
        let url = self.control(&format!("make/{zone}/{what}"), &[]);
        Ok(done(self.http.put(url).json(&said)).await?.json().await?)
    }

    /// Changes a scenario: `isActive`, `isPaused`, `isinvalid`, `dlqCount` and so on.
    pub async fn set_scenario(&self, zone: &str, id: u64, said: Value) -> Result<Value> {
        self.make_put(zone, "scenarios", with_id(id, said)).await
    }

    /// Changes a hook: `queueCount`, which then holds, `queueLimit`, `enabled`, `gone` and so on. `drainPerSecond` is how
    /// fast a scenario that is on works the queue off: at once if it is null.
    pub async fn set_make_hook(&self, zone: &str, id: u64, said: Value) -> Result<Value> {
        self.make_put(zone, "hooks", with_id(id, said)).await
    }

    /// Changes an organisation: `license`, `isPaused`, and `timezone`, an IANA name, in which its days are cut.
    pub async fn set_organization(&self, zone: &str, id: u64, said: Value) -> Result<Value> {
        self.make_put(zone, "organizations", with_id(id, said)).await
    }

    /// Adds runs to a scenario's log and to what it used; one whose `id` is known takes the place of the earlier one.
    pub async fn add_runs(&self, zone: &str, scenario: u64, runs: &[MakeRun]) -> Result<()> {
        let url = self.control(&format!("make/{zone}/scenarios/{scenario}/runs"), &[]);
        done(self.http.post(url).json(runs)).await.map(drop)
    }

    /// Deletes a scenario with its log.
    pub async fn delete_scenario(&self, zone: &str, id: u64) -> Result<()> {
        let url = self.control(&format!("make/{zone}/scenarios/{id}"), &[]);
        done(self.http.delete(url)).await.map(drop)
    }

    /// Adds incomplete executions to a scenario, one for each reason.
    pub async fn add_dlqs(&self, zone: &str, scenario: u64, reasons: &[&str]) -> Result<()> {
        let url = self.control(&format!("make/{zone}/scenarios/{scenario}/dlqs"), &[]);
        done(self.http.post(url).json(reasons)).await.map(drop)
    }
}

fn with_id(id: u64, mut said: Value) -> Value {
    if let Value::Object(said) = &mut said {
        said.insert("id".into(), id.into());
    }
    said
}
