//! A pull: what Make.com's API says of scenarios, their runs and what they used, read page by page.
//!
//! After every page the place is put down with what it came to, so a pull goes on wherever it was killed. Whoever works
//! on one holds it until `busy_until`, and puts down only while it does, and while `revision` is what it has read.

use jiff::{Timestamp, ToSpan, civil::time};
use serde::{Deserialize, Serialize};

use crate::{
    id::TenantId,
    key::{self, Index, Key},
    table::{Change, Row, Table},
    tenant::Zone,
};

/// How a tenant's pull goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pull {
    /// Whose.
    pub tenant: TenantId,
    /// How it is.
    pub state: State,
    /// When it goes on, or begins anew.
    pub due_at: Timestamp,
    /// Until when somebody is at it: milliseconds since 1970.
    #[serde(default)]
    pub busy_until: i64,
    /// Grows when another account is given: what is under way for the former one is over.
    #[serde(default)]
    pub revision: u32,
    /// When the account was given.
    pub since: Timestamp,
    /// What is under way.
    #[serde(default)]
    pub work: Option<Work>,
    /// Up to when all runs of all scenarios were read.
    #[serde(default)]
    pub read_to: Option<Timestamp>,
    /// Make.com takes no notice of the time that a log is asked for: it is asked for all of it, up to where it is known.
    #[serde(default)]
    pub unbounded: bool,
    /// When a pull was last done in full.
    #[serde(default)]
    pub last_success_at: Option<Timestamp>,
    /// What the last one that came to its end came to.
    #[serde(default)]
    pub last: Option<Progress>,
    /// Turns in a row that came to nothing.
    #[serde(default)]
    pub failures: u32,
    /// Since when there is trouble; only a pull that is done in full ends it.
    #[serde(default)]
    pub failing_since: Option<Timestamp>,
    /// What it was the last time, for a person.
    #[serde(default)]
    pub failure: Option<String>,
    /// When it was told that there is none that succeeds.
    #[serde(default)]
    pub told_failing_at: Option<Timestamp>,
}

/// How a pull is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MakePullState)]
pub enum State {
    /// The last one is done, the next one is not due yet.
    Idle,
    /// It is under way, or begins within a minute.
    Running,
    /// It is under way, and waits until Make.com may be asked again.
    Waiting,
    /// It does not get on. It is tried again by itself.
    Failed,
}

/// A pull that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// When it began: what was logged later is left to the next one.
    pub begun_at: Timestamp,
    /// Where it is.
    pub step: Step,
    /// What it has come to.
    #[serde(default)]
    pub progress: Progress,
    /// Scenarios that could not be read, and were passed over.
    #[serde(default)]
    pub passed_over: u32,
    /// Why the first of them could not.
    #[serde(default)]
    pub why: Option<String>,
    /// Known scenarios that the list left out, by id: they are read once more, and then are gone.
    #[serde(default)]
    pub absent: Vec<String>,
    /// How often in a row it has come to nothing where it is.
    #[serde(default)]
    pub stuck: u32,
    /// The one before was passed over, and nothing was read since.
    #[serde(default)]
    pub just_passed: bool,
}

/// Where a pull is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// In the list of scenarios.
    Listing {
        /// So many of it are known.
        offset: u32,
        /// The first one of the page before.
        first: Option<u64>,
    },
    /// In the logs of the scenarios, by their ids as text.
    Reading {
        /// Behind this one.
        after: Option<String>,
        /// In the log of the next one.
        log: Option<Log>,
    },
}

/// The place in the log of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Which scenario's.
    pub scenario: String,
    /// The beginning of the stretch that is read; its end is that of the pull's.
    pub from: Timestamp,
    /// Make.com's place of the last row that was read.
    pub last: Option<String>,
    /// Whether there was anything that was not known before.
    #[serde(default)]
    pub news: bool,
}

/// What a pull has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = MakePullProgress)]
pub struct Progress {
    /// Scenarios that Make.com lists, as far as the list is read.
    pub scenarios: u32,
    /// Those whose runs are read.
    pub scenarios_done: u32,
    /// Those that had not been heard of before.
    pub scenarios_new: u32,
    /// Runs that were read.
    pub runs_read: u64,
    /// Those that were not known.
    pub runs_new: u64,
    /// Those that were known, and told of differently.
    pub runs_corrected: u64,
    /// Rows of the list and of the logs that could not be read, and were passed over: they were of another form, without an
    /// id, or counted beyond all measure.
    #[serde(default)]
    pub rows_passed_over: u64,
    /// Requests to Make.com.
    pub requests: u64,
}

impl Row for Pull {
    const KIND: &'static str = "make_pull";

    fn key(&self) -> Key<Self> {
        key::make_pull(self.tenant)
    }

    fn index(&self) -> Option<Index> {
        Some(key::pulls(self.due_at))
    }
}

impl Pull {
    /// The next six o'clock in the morning there.
    pub fn next_morning(zone: &Zone, now: Timestamp) -> Timestamp {
        let today = now.to_zoned(zone.rules().clone()).date();
        let morning = |days: i32| {
            let day = today.checked_add(days.days()).ok()?;
            Some(day.to_datetime(time(6, 0, 0, 0)).to_zoned(zone.rules().clone()).ok()?.timestamp())
        };
        (0..=2).filter_map(morning).find(|at| *at > now).unwrap_or(now + jiff::SignedDuration::from_hours(24))
    }

    /// One that begins at once, for an account that is given now: to be written with the account.
    pub fn for_new_account(table: &Table, tenant: TenantId, now: Timestamp) -> Change<'_, Self> {
        let change = begin(table, tenant, now).set("since", now).set("busy_until", 0).add("revision", 1).remove("work");
        // The trouble was the former one's.
        change.set("failures", 0).remove("failing_since").remove("failure")
    }

    /// One that begins at once, for an account that has none: it was given before there were pulls.
    pub fn for_known_account(table: &Table, tenant: TenantId, now: Timestamp) -> Change<'_, Self> {
        begin(table, tenant, now).set("since", now).set("revision", 0).when_missing("since")
    }

    /// One that begins at once, where none is known or under way.
    pub fn at_once(table: &Table, tenant: TenantId, now: Timestamp) -> Change<'_, Self> {
        begin(table, tenant, now)
    }

    /// Since when no pull was done in full.
    pub fn waits_since(&self) -> Timestamp {
        self.last_success_at.map_or(self.since, |at| at.max(self.since))
    }
}

fn begin(table: &Table, tenant: TenantId, now: Timestamp) -> Change<'_, Pull> {
    let change = table.change(key::make_pull(tenant)).or_new().set("tenant", tenant);
    change.set("state", State::Running).set("due_at", now).index(Some(key::pulls(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_morning_comes_on_days_of_23_and_25_hours_too() {
        let zone = |name: &str| Zone::try_from(name.to_owned()).unwrap();
        let next = |zone: &Zone, now: &str| Pull::next_morning(zone, now.parse().unwrap()).to_string();
        let lisbon = zone("Europe/Lisbon");
        assert_eq!(next(&lisbon, "2026-11-21T05:59:59Z"), "2026-11-21T06:00:00Z");
        assert_eq!(next(&lisbon, "2026-11-21T06:00:00Z"), "2026-11-22T06:00:00Z");
        // 29 March 2026 has 23 hours, 25 October has 25.
        assert_eq!(next(&lisbon, "2026-03-28T06:00:00Z"), "2026-03-29T05:00:00Z");
        assert_eq!(next(&lisbon, "2026-10-24T05:00:00Z"), "2026-10-25T06:00:00Z");
        assert_eq!(next(&zone("Asia/Tokyo"), "2026-11-21T22:00:00Z"), "2026-11-22T21:00:00Z");
        // Samoa had no 30 December 2011.
        assert_eq!(next(&zone("Pacific/Apia"), "2011-12-29T17:00:00Z"), "2011-12-30T16:00:00Z");
    }
}
