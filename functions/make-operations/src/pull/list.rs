//! The list of scenarios: a new one is kept as unmapped, a known one as Make.com tells of it now.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use shared::{
    Error, Result, key,
    make::{
        api::{self, Failure},
        pull::{Step, Work},
    },
    scenario::{MOST, Scenario, Told},
    usage::ScenarioStatus,
};

use super::turn::{Next, Stop, Turn};
use crate::heard::{self, Begun};

/// So many scenarios that the list leaves out are dealt with in one pull: they stand in its row. Others follow in the next.
const ABSENT: usize = 100;
/// The longest time between two runs that is believed, in seconds: a leap year.
const LONGEST_INTERVAL: u64 = 366 * 24 * 60 * 60;
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
        self.is_whole |= offset == 0;
        let mut known = match self.known.take() {
            Some(known) => known,
            None => self.all_known().await?,
        };
        let now = self.time();
        let mut new = BTreeMap::new();
        for told in &page.rows {
            match known.remove(&told.id.to_string()) {
                Some(known) => self.hear(told, known, now).await?,
                None => drop(new.insert(told.id, told)),
            }
            work.progress.scenarios += 1;
        }
        work.progress.scenarios_new += self.begin(&new, now).await?;
        work.progress.rows_passed_over += (page.told - page.rows.len()) as u64;
        let offset = offset.saturating_add(u32::try_from(page.told).unwrap_or(u32::MAX));
        if page.more && usize::try_from(offset).is_ok_and(|offset| offset < MOST) {
            self.known = Some(known);
            work.step = Step::Listing { offset, first: begins };
            return Ok(Next::Page);
        }
        if page.more {
            let tenant = self.pull.tenant;
            tracing::warn!(tenant.id = %tenant, most = MOST, "an account at Make.com has more scenarios than are listed");
        } else if self.is_whole && work.progress.rows_passed_over == 0 && work.progress.scenarios > 0 {
            work.absent = absent(known);
        }
        work.step = Step::Reading { after: None, log: None };
        Ok(Next::Page)
    }

    async fn all_known(&self) -> Result<HashMap<String, Scenario>> {
        let known = self.deps.table.list_all(&key::scenarios(self.pull.tenant)).await?;
        Ok(known.into_iter().map(|scenario| (scenario.id.clone(), scenario)).collect())
    }

    /// Lists scenarios that nobody had heard of, and tells how many. Those for which there is no room are left out.
    async fn begin(&self, said: &BTreeMap<u64, &api::Scenario>, now: Timestamp) -> Result<u32> {
        let tenant = self.pull.tenant;
        let new = |said: &&api::Scenario| {
            let (id, name) = (said.id.to_string(), name(said));
            let name = if name.is_empty() { format!("Scenario {id}") } else { name };
            Scenario { told: Some(told(said, now)), ..Scenario::heard_of(tenant, id, name, now) }
        };
        let new: Vec<Scenario> = said.values().map(new).collect();
        let Begun { made, were } = match heard::begin(&self.deps.table, tenant, &new).await {
            Err(Error::Conflict(why)) => {
                tracing::warn!(tenant.id = %tenant, scenarios = new.len(), "new scenarios are left out: {why}");
                Begun::default()
            }
            begun => begun?,
        };
        for known in were {
            if let Some(said) = known.id.parse().ok().and_then(|id: u64| said.get(&id)) {
                self.hear(said, known, now).await?;
            }
        }
        Ok(u32::try_from(made.len()).unwrap_or(u32::MAX))
    }

    /// Writes down what is said of a scenario that is known, where it is news.
    async fn hear(&self, said: &api::Scenario, known: Scenario, now: Timestamp) -> Result<()> {
        let (told, name) = (told(said, now), name(said));
        let same = known.told.as_ref().is_some_and(|before| before.says_what(&told));
        if same && (name.is_empty() || name == known.name) {
            return Ok(());
        }
        let was_gone = known.told.is_some_and(|before| before.gone_since.is_some());
        let key = key::scenario(self.pull.tenant, &known.id);
        let mut change = self.deps.table.change(key).set("told", told).when_there();
        if !name.is_empty() {
            change = change.set("name", name);
        }
        if was_gone {
            // What it did meanwhile was not read.
            change = change.remove("pulled");
        }
        change.write().await.map(drop)
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

/// Scenarios that were listed before, of those that the list leaves out now.
fn absent(left: HashMap<String, Scenario>) -> Vec<String> {
    let was_there = |scenario: &Scenario| scenario.told.as_ref().is_some_and(|told| told.gone_since.is_none());
    let mut absent: Vec<String> = left.into_values().filter(was_there).map(|scenario| scenario.id).collect();
    absent.sort_unstable();
    absent.truncate(ABSENT);
    absent
}

fn name(said: &api::Scenario) -> String {
    said.name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

fn told(said: &api::Scenario, at: Timestamp) -> Told {
    let scheduling = said.scheduling.as_ref();
    Told {
        status: status(said),
        team: said.team_id,
        scheduling: scheduling.map(|scheduling| scheduling.kind.chars().take(LONGEST_WORD).collect()),
        interval_s: scheduling.and_then(|scheduling| scheduling.interval).map(|every| every.min(LONGEST_INTERVAL)),
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
