//! The list of scenarios: a new one is kept as unmapped, a known one as Make.com tells of it now.

use std::collections::HashMap;

use jiff::Timestamp;
use shared::{
    Result, key,
    make::{
        api::{self, Failure},
        pull::{Step, Work},
    },
    scenario::{Scenario, Told},
    table::Created,
    usage::ScenarioStatus,
};

use super::turn::{Next, Stop, Turn};

/// The most scenarios of one account.
const MOST: u32 = 20_000;
/// The longest name, and the longest word for what starts a scenario, that is kept.
const LONGEST_NAME: usize = 200;
const LONGEST_WORD: usize = 40;

impl Turn<'_> {
    /// A page of the list, each scenario of which is written down where there is something new about it.
    pub async fn list(&mut self, work: &mut Work, offset: u32, first: Option<u64>) -> Result<Next, Stop> {
        let page = self.deps.api.scenarios_from(&self.caller, self.place, offset).await?;
        let begins = page.rows.first().map(|scenario| scenario.id);
        if begins.is_some() && begins == first {
            return Err(Failure::Odd("the same page of the list of scenarios came again".into()).into());
        }
        let mut known = match self.known.take() {
            Some(known) => known,
            None => self.all_known().await?,
        };
        let now = self.time();
        for told in &page.rows {
            let is_new = self.hear(told, known.remove(&told.id.to_string()), now).await?;
            work.progress.scenarios_new += u32::from(is_new);
            work.progress.scenarios += 1;
        }
        self.known = Some(known);
        let offset = offset.saturating_add(u32::try_from(page.told).unwrap_or(u32::MAX));
        work.step = if page.more && offset < MOST {
            Step::Listing { offset, first: begins }
        } else {
            Step::Reading { after: None, log: None }
        };
        Ok(Next::Page)
    }

    async fn all_known(&self) -> Result<HashMap<String, Scenario>> {
        let known = self.deps.table.list_all(&key::scenarios(self.pull.tenant)).await?;
        Ok(known.into_iter().map(|scenario| (scenario.id.clone(), scenario)).collect())
    }

    /// Writes down what is said of a scenario. Whether it had not been heard of.
    async fn hear(&self, said: &api::Scenario, known: Option<Scenario>, now: Timestamp) -> Result<bool> {
        let (table, tenant, id) = (&self.deps.table, self.pull.tenant, said.id.to_string());
        let told = told(said, now);
        let name: String = said.name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        let known = match known {
            Some(known) => known,
            None => {
                let name = if name.is_empty() { format!("Scenario {id}") } else { name.clone() };
                let new = Scenario { told: Some(told.clone()), ..Scenario::heard_of(tenant, id.clone(), name, now) };
                match table.create(&new).await? {
                    Created::New => return Ok(true),
                    Created::Was(known) => *known,
                }
            }
        };
        let same = known.told.as_ref().is_some_and(|before| before.says_what(&told));
        if same && (name.is_empty() || name == known.name) {
            return Ok(false);
        }
        let was_gone = known.told.is_some_and(|before| before.gone_since.is_some());
        let mut change = table.change(key::scenario(tenant, &id)).set("told", told).when_there();
        if !name.is_empty() {
            change = change.set("name", name);
        }
        if was_gone {
            // What it did meanwhile was not read.
            change = change.remove("pulled");
        }
        change.write().await?;
        Ok(false)
    }

    /// Marks a scenario that Make.com does not know any more, or that is none of this account's. It stays.
    pub async fn lose(&self, scenario: &Scenario) -> Result<()> {
        let Some(told) = &scenario.told else { return Ok(()) };
        let now = self.time();
        let told = Told { gone_since: Some(now), at: now, ..told.clone() };
        let change = self.deps.table.change(key::scenario(self.pull.tenant, &scenario.id)).set("told", told);
        change.when_there().write().await.map(drop)
    }
}

fn told(said: &api::Scenario, at: Timestamp) -> Told {
    let scheduling = said.scheduling.as_ref();
    Told {
        status: status(said),
        team: said.team_id,
        scheduling: scheduling.map(|scheduling| scheduling.kind.chars().take(LONGEST_WORD).collect()),
        interval_s: scheduling.and_then(|scheduling| scheduling.interval),
        incomplete: said.dlq_count,
        gone_since: None,
        at,
    }
}

/// In Make's words: `isinvalid` is stopped by an error, `isPaused` by the subscription. What is not said is not wrong.
fn status(said: &api::Scenario) -> ScenarioStatus {
    if said.is_invalid == Some(true) {
        ScenarioStatus::Error
    } else if said.is_paused == Some(true) {
        ScenarioStatus::Paused
    } else if said.is_active == Some(false) {
        ScenarioStatus::Disabled
    } else {
        ScenarioStatus::Active
    }
}
