//! Snapshots: what activity amounts to, by scope, channel and time.
//!
//! ```text
//! activity of one track ──► contribution to each hour ──► hour ──► day, running total ──► week
//! ```
//!
//! An hour's snapshot says also what its day amounts to *so far*, at the end of that hour; a running total says the
//! same of all time, at the end of that day. So what lies between any two moments is a difference of four rows at
//! most, however long it is: counts and histograms subtract as exactly as they add. What is open at a moment is the
//! total of what was opened less what was closed.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    activity::Channel,
    error::{Error, Result},
    id::{TenantId, TrackId},
    key::{self, Key},
    sketch::Sketch,
    table::Row,
    tenant::Zone,
};

/// One thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Conversations begun.
    Opened,
    /// Conversations opened again.
    Reopened,
    /// Conversations closed.
    Resolved,
    /// Conversations handed from a bot to people.
    Escalated,
    /// Conversations that became open, less those that ceased to be. Its running total is what is open.
    Open,
    /// Seconds from a conversation's opening to its closing, summed over those closed.
    ResolutionSeconds,
    /// Messages of customers.
    Inbound,
    /// Messages of agents.
    ByAgent,
    /// Messages of bots.
    ByBot,
    /// Messages of automations.
    ByAutomation,
    /// Waits that a person's reply ended.
    Responses,
    /// Seconds of those waits.
    ResponseSeconds,
    /// Of those, the first of a conversation.
    FirstResponses,
    /// Seconds of those.
    FirstResponseSeconds,
    /// Messages meant for WhatsApp, those left out included.
    WaSent,
    /// Of those, delivered or read.
    WaDelivered,
    /// Of those, read.
    WaRead,
    /// Of those, given up by the network.
    WaFailed,
    /// Of those, left out on purpose.
    WaSkipped,
    /// Of those, without an outcome, but sent less than a day ago.
    WaAwaiting,
    /// Of those, without an outcome a day after they were sent.
    WaUnknown,
    /// The same for all other channels.
    OtherSent,
    /// The same for all other channels.
    OtherDelivered,
    /// The same for all other channels.
    OtherRead,
    /// The same for all other channels.
    OtherFailed,
    /// The same for all other channels.
    OtherSkipped,
    /// The same for all other channels.
    OtherAwaiting,
    /// The same for all other channels.
    OtherUnknown,
    /// Tickets begun.
    TicketsOpened,
    /// Tickets closed.
    TicketsResolved,
    /// Seconds from a ticket's opening to its closing, summed over those closed.
    TicketSeconds,
    /// Tickets of that priority that became open, less those that ceased to be.
    TicketsLow,
    /// The same for this priority.
    TicketsNormal,
    /// The same for this priority.
    TicketsHigh,
    /// The same for this priority.
    TicketsUrgent,
    /// Leads.
    Leads,
}

/// Counts, and the histogram of response times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What was counted; what is missing is zero.
    pub counts: BTreeMap<Metric, i64>,
    /// How long customers waited for a person's reply, in the hour of the reply.
    pub responses: Sketch,
}

impl Cell {
    /// How many there are of something.
    pub fn count(&self, metric: Metric) -> i64 {
        self.counts.get(&metric).copied().unwrap_or_default()
    }

    /// Counts so many more.
    pub fn add(&mut self, metric: Metric, more: i64) {
        let count = self.counts.entry(metric).or_default();
        *count += more;
        if *count == 0 {
            self.counts.remove(&metric);
        }
    }

    /// All of the other as well.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        other.counts.iter().for_each(|(metric, count)| self.add(*metric, *count));
        self.responses.merge(&other.responses).map_err(broken)
    }

    /// Without an earlier reading of the same series. Where a fold was at work between the two readings, the
    /// histogram may hold a little less than it should, never less than nothing.
    pub fn since(mut self, earlier: &Self) -> Result<Self> {
        earlier.counts.iter().for_each(|(metric, count)| self.add(*metric, -count));
        self.responses.part(&earlier.responses).map_err(broken)?;
        Ok(self)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.responses.is_empty()
    }
}

fn broken(cause: crate::sketch::Unfit) -> Error {
    Error::internal("stored histograms do not go together", cause)
}

/// Whose part of a cell something is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Credit {
    /// The agent's.
    pub agent: Option<String>,
    /// The team's.
    pub team: Option<String>,
    /// On this channel.
    pub channel: Channel,
}

/// What one track adds to one hour: worked out from all of its reports, never added to. Where many agents had to do
/// with it, it takes several rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Whose.
    pub tenant: TenantId,
    /// The hour.
    pub hour: Timestamp,
    /// The track.
    pub track: TrackId,
    /// Which of its rows.
    #[serde(default)]
    pub nth: u32,
    /// Its parts, by whom they are credited to.
    pub parts: Vec<Part>,
}

/// What is credited to one agent, team and channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// To whom.
    pub credit: Credit,
    /// What.
    pub counts: BTreeMap<Metric, i64>,
    /// The waits that were ended: their length in seconds, and how many were so long. What one conversation waits in an
    /// hour lasts no longer than the hour, so there are few lengths however many waits.
    pub waits: Vec<(u64, u64)>,
}

impl Row for Contribution {
    const KIND: &'static str = "contribution";
    const VERSION: u32 = 2;

    fn key(&self) -> Key<Self> {
        key::contribution(self.tenant, self.hour, self.track, self.nth)
    }
}

/// How a conversation stands at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// With whom it is.
    pub with: Credit,
    /// Since when it is open, if it is, and to whom that is credited.
    pub open: Option<(Timestamp, Credit)>,
    /// Since when the customer waits for a person, if it does.
    pub waiting: Option<Timestamp>,
    /// Whether a person has replied since it was opened.
    pub replied: bool,
}

/// How a conversation stood before an hour, so that nobody has to read again what came earlier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Whose.
    pub tenant: TenantId,
    /// The conversation.
    pub track: TrackId,
    /// The hour.
    pub hour: Timestamp,
    /// How it stood.
    pub standing: Standing,
}

impl Row for Checkpoint {
    const KIND: &'static str = "checkpoint";

    fn key(&self) -> Key<Self> {
        key::checkpoint(self.tenant, self.track, self.hour)
    }
}

/// Whose numbers a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole tenant's.
    Tenant,
    /// A team's.
    Team(String),
    /// An agent's.
    Agent(String),
}

/// Whose numbers on which channel; without one, on all of them together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    /// Whose.
    pub scope: Scope,
    /// The channel.
    pub channel: Option<Channel>,
}

impl Credit {
    /// Every series that counts what is credited so.
    pub fn series(&self) -> impl Iterator<Item = Series> {
        let team = self.team.clone().map(Scope::Team);
        let agent = self.agent.clone().map(Scope::Agent);
        [Some(Scope::Tenant), team, agent]
            .into_iter()
            .flatten()
            .flat_map(|scope| [None, Some(self.channel)].map(|channel| Series { scope: scope.clone(), channel }))
    }
}

/// What a snapshot covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// This hour of this day.
    Hour(Date, Timestamp),
    /// The day.
    Day(Date),
    /// The seven days from this Monday.
    Week(Date),
    /// All time to the end of this day.
    AllUntil(Date),
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whose tenant.
    pub tenant: TenantId,
    /// Whose numbers.
    pub series: Series,
    /// Of when.
    pub span: Span,
    /// How often it was made again because something came late. 1 is the first.
    pub revision: u32,
    /// The numbers.
    pub cell: Cell,
    /// For an hour: those of its day, from its beginning to the end of this hour.
    pub so_far: Option<Cell>,
}

impl Row for Snapshot {
    const KIND: &'static str = "snapshot";

    fn key(&self) -> Key<Self> {
        key::snapshot(self.tenant, &self.series, self.span)
    }
}

/// Something that has to be worked out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stale {
    /// A track with new reports of this hour.
    Track(TrackId, Timestamp),
    /// An hour whose contributions have changed.
    Hour(Timestamp),
    /// An hour whose messages without an outcome are given up a day later.
    Ripening(Timestamp),
    /// A day whose hours have changed.
    Day(Date),
    /// A week whose days have changed.
    Week(Date),
}

/// A note that something has to be worked out again. Removed when that was done, unless it was made again meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Whose.
    pub tenant: TenantId,
    /// What.
    pub stale: Stale,
    /// When, in milliseconds since 1970.
    pub marked_at: i64,
}

impl Row for Mark {
    const KIND: &'static str = "mark";

    fn key(&self) -> Key<Self> {
        key::mark(self.tenant, self.stale)
    }
}

/// Which series an hour or a day was folded into, so that none keeps what has gone elsewhere. Where there are many, it
/// takes several rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Folded {
    /// Whose.
    pub tenant: TenantId,
    /// The day.
    pub date: Date,
    /// The hour; without it, the whole day.
    pub hour: Option<Timestamp>,
    /// Which of its rows.
    #[serde(default)]
    pub nth: u32,
    /// The series.
    pub series: Vec<Series>,
}

impl Row for Folded {
    const KIND: &'static str = "folded";

    fn key(&self) -> Key<Self> {
        key::folded(self.tenant, self.date, self.hour, self.nth)
    }
}

/// How far a tenant's aggregation has come, and who is at it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// Whose.
    pub tenant: TenantId,
    /// The zone that its days are cut in.
    pub time_zone: Zone,
    /// Every report accepted before this is in the snapshots.
    pub as_of: Option<Timestamp>,
    /// Until when somebody is at work, in milliseconds since 1970; 0 is nobody.
    pub busy_until: i64,
    /// When the last turn began, in milliseconds since 1970.
    #[serde(default)]
    pub begun: i64,
    /// Whether the last turn failed for a reason that lies in the tenant's own rows.
    #[serde(default)]
    pub failing: bool,
}

impl Row for Progress {
    const KIND: &'static str = "progress";

    fn key(&self) -> Key<Self> {
        key::progress(self.tenant)
    }
}

/// An answer that is good for a moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cached {
    /// Whose.
    pub tenant: TenantId,
    /// Whose numbers it shows.
    pub series: Series,
    /// The other filters.
    pub filters: String,
    /// The answer, as it leaves.
    pub answer: String,
    /// Until when it is good.
    pub until: Timestamp,
}

impl Row for Cached {
    const KIND: &'static str = "cached";

    fn key(&self) -> Key<Self> {
        key::cached(self.tenant, &self.series, &self.filters)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.until)
    }
}

/// The beginning of the hour that a moment falls into, as the clocks of the zone show hours.
///
/// In zones that are half an hour off, hours begin at half past in UTC, so that days are whole hours everywhere.
pub fn hour_of(zone: &Zone, at: Timestamp) -> Timestamp {
    let offset = i64::from(zone.rules().to_offset(at).seconds());
    let local = at.as_second() + offset;
    Timestamp::from_second(local - local.rem_euclid(3_600) - offset).unwrap_or(at)
}

/// The day that a moment falls into.
pub fn day_of(zone: &Zone, at: Timestamp) -> Date {
    zone.rules().to_datetime(at).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        name.to_owned().try_into().unwrap()
    }

    fn hours_of(zone: &Zone, date: &str) -> Vec<Timestamp> {
        let date: Date = date.parse().unwrap();
        let mut hours: Vec<Timestamp> = (-24 * 4..48 * 4)
            .map(|quarter| {
                date.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
                    + jiff::SignedDuration::from_mins(quarter * 15)
            })
            .filter(|at| day_of(zone, *at) == date)
            .map(|at| hour_of(zone, at))
            .collect();
        hours.dedup();
        hours
    }

    #[test]
    fn days_have_as_many_hours_as_the_clocks_give_them() {
        let lisbon = zone("Europe/Lisbon");
        assert_eq!(hours_of(&lisbon, "2026-11-21").len(), 24);
        assert_eq!(hours_of(&lisbon, "2026-03-29").len(), 23);
        assert_eq!(hours_of(&lisbon, "2026-10-25").len(), 25);
    }

    #[test]
    fn no_hour_lies_in_two_days() {
        for name in ["Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham", "Europe/Lisbon"] {
            let zone = zone(name);
            for date in ["2026-03-29", "2026-11-01", "2026-11-21"] {
                let all = hours_of(&zone, date);
                assert!(all.iter().all(|hour| day_of(&zone, *hour).to_string() == date), "{name} {date}");
            }
        }
    }

    #[test]
    fn what_was_merged_parts_again() {
        let mut a = Cell::default();
        a.add(Metric::Inbound, 2);
        a.responses.add(30);
        let mut both = a.clone();
        let mut b = Cell::default();
        b.add(Metric::Open, -1);
        both.merge(&b).unwrap();
        assert_eq!(both.clone().since(&b).unwrap(), a);
        assert!(both.since(&a).unwrap().since(&b).unwrap().is_empty());
    }
}
