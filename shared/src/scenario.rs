//! A scenario of Make.com: for whom it runs, since when, and how it is doing.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    id::{ClientId, TenantId},
    key::{self, Key},
    table::Row,
    usage::{OperationType, ScenarioStatus},
};

/// For whom something runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The tenant itself.
    Company,
    /// One of its clients.
    Client(ClientId),
    /// Nobody has said: counted apart, and dropped never.
    #[default]
    Unmapped,
}

impl Owner {
    /// The client, where it is one.
    pub fn client(self) -> Option<ClientId> {
        match self {
            Self::Client(client) => Some(client),
            Self::Company | Self::Unmapped => None,
        }
    }
}

impl From<Option<ClientId>> for Owner {
    fn from(client: Option<ClientId>) -> Self {
        client.map_or(Self::Company, Self::Client)
    }
}

/// The most scenarios of a tenant.
pub const MOST: usize = 20_000;
/// The most statements of a mapping.
pub const STATEMENTS: usize = 100;

/// What a scenario is from a day on, until the next one says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped {
    /// The first day; none for always.
    pub from: Option<Date>,
    /// For whom it runs.
    pub owner: Owner,
    /// What it is for.
    pub operation_type: OperationType,
    /// Seconds of somebody's work that a run saves, where it did something.
    #[serde(default)]
    pub seconds_saved: u32,
}

impl Default for Mapped {
    /// Of a scenario that nobody has mapped.
    fn default() -> Self {
        Self { from: None, owner: Owner::Unmapped, operation_type: OperationType::General, seconds_saved: 0 }
    }
}

/// A scenario of Make.com.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scenario {
    /// Whose.
    pub tenant: TenantId,
    /// Make.com's id of it, as text.
    pub id: String,
    /// What people call it there.
    pub name: String,
    /// What it is, by time, the latest last. Empty while nobody has said.
    #[serde(default)]
    pub mapping: Vec<Mapped>,
    /// What it is for, in words.
    pub description: Option<String>,
    /// Operations that there may be in a day.
    pub daily_limit: Option<u64>,
    /// It should run once in so many seconds at least, where a person has said so.
    pub expected_every_s: Option<u32>,
    /// Grows with each change that a person makes.
    #[serde(default)]
    pub revision: u32,
    /// When it was first heard of.
    pub created_at: Timestamp,
    /// What Make.com said last.
    #[serde(default)]
    pub told: Option<Told>,
    /// How far its log was read, where it ever was.
    #[serde(default)]
    pub pulled: Option<Pulled>,
}

/// What Make.com says of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How it is doing.
    pub status: ScenarioStatus,
    /// Its team there.
    pub team: Option<u64>,
    /// What starts it: `immediately`, `indefinitely`, `daily`, `on-demand`, …
    pub scheduling: Option<String>,
    /// Seconds between its runs, where it runs at intervals.
    pub interval_s: Option<u64>,
    /// Runs that ended incomplete and wait for somebody.
    pub incomplete: Option<u64>,
    /// Since when Make.com does not know it any more: it was deleted, or is hidden from the token.
    #[serde(default)]
    pub gone_since: Option<Timestamp>,
    /// When it said so first.
    pub at: Timestamp,
}

impl Told {
    /// Whether it says the same as another, whenever it did.
    pub fn says_what(&self, other: &Self) -> bool {
        Self { at: other.at, ..self.clone() } == *other
    }
}

/// How far the log of a scenario was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulled {
    /// All runs that were logged up to then are known.
    pub to: Timestamp,
    /// Runs were found the last time: Make.com's own count of the day is asked for once more.
    #[serde(default)]
    pub moves: bool,
}

impl Row for Scenario {
    const KIND: &'static str = "scenario";

    fn key(&self) -> Key<Self> {
        key::scenario(self.tenant, &self.id)
    }
}

impl Scenario {
    /// One that was just heard of.
    pub fn heard_of(tenant: TenantId, id: String, name: String, now: Timestamp) -> Self {
        Self {
            tenant,
            id,
            name,
            mapping: Vec::new(),
            description: None,
            daily_limit: None,
            expected_every_s: None,
            revision: 0,
            created_at: now,
            told: None,
            pulled: None,
        }
    }

    /// What it was on a day. Before its first mapping it was what that one says: whoever maps a new scenario means what
    /// it has done so far, too.
    pub fn on(&self, date: Date) -> Mapped {
        let begun = self.mapping.iter().rev().find(|mapped| mapped.from.is_none_or(|from| from <= date));
        begun.or(self.mapping.first()).cloned().unwrap_or_default()
    }

    /// Whether what it is called now, and how it is doing, may be told to an owner: it is nobody else's today. Where nobody
    /// has mapped it, whoever stated its usage told of it.
    pub fn is_known_to(&self, owner: Owner, today: Date) -> bool {
        self.mapping.is_empty() || self.on(today).owner == owner
    }

    /// Its version, as HTTP compares them.
    pub fn etag(&self) -> String {
        format!("\"{}.{}\"", self.created_at.as_millisecond(), self.revision)
    }
}

/// How many scenarios a tenant has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScenarioCount {
    /// Whose.
    pub tenant: TenantId,
    /// So many, [`MOST`] at most.
    pub scenarios: usize,
}

impl Row for ScenarioCount {
    const KIND: &'static str = "scenario_count";

    fn key(&self) -> Key<Self> {
        key::scenario_count(self.tenant)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_has_the_mapping_that_held_on_it() {
        let mut scenario = Scenario::heard_of(TenantId::new(), "1".into(), "Intake".into(), Timestamp::now());
        assert_eq!(scenario.on(date(2026, 11, 1)).owner, Owner::Unmapped);
        let inn = Owner::Client(ClientId::new());
        let mapped = |from, owner| Mapped { from, owner, operation_type: OperationType::Call, seconds_saved: 60 };
        scenario.mapping = vec![mapped(Some(date(2026, 11, 3)), inn), mapped(Some(date(2026, 11, 9)), Owner::Company)];
        let owners: Vec<_> = [1, 3, 8, 9, 20].map(|day| scenario.on(date(2026, 11, day)).owner).into();
        assert_eq!(owners, [inn, inn, inn, Owner::Company, Owner::Company]);
    }
}
