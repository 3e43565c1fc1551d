//! A scenario's runs: the log of its executions, and what they used by the day and since the last reset.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound::{Excluded, Included, Unbounded},
};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One run of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct MakeRun {
    /// When it ended; the log is sorted by it.
    pub timestamp: Timestamp,
    /// The execution's id; a new one unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `auto` or `manual`.
    #[serde(rename = "type")]
    pub kind: String,
    /// 1 success, 2 success with warnings, 3 failed.
    pub status: u8,
    /// Milliseconds.
    pub duration: u64,
    /// How many modules ran.
    pub operations: u64,
    /// A hundred are one credit.
    pub centicredits: u64,
    /// Bytes.
    pub transfer: u64,
    /// Who started it by hand.
    pub author_id: Option<u64>,
    /// Whether a webhook started it.
    pub instant: bool,
}

impl Default for MakeRun {
    fn default() -> Self {
        Self {
            timestamp: Timestamp::now(),
            id: None,
            kind: "auto".into(),
            status: 1,
            duration: 900,
            operations: 1,
            centicredits: 100,
            transfer: 1_000,
            author_id: None,
            instant: true,
        }
    }
}

/// The runs of one scenario by their `imtId`, which sorts by time.
#[derive(Default)]
pub(super) struct Runs {
    log: BTreeMap<String, MakeRun>,
    /// The `imtId` of each id.
    places: HashMap<String, String>,
}

/// What is asked of a log.
pub(super) struct LogQuery<'a> {
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    pub(super) last: Option<&'a str>,
    pub(super) show_last: bool,
    pub(super) descending: bool,
    pub(super) limit: usize,
}

/// Sums of runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) operations: u64,
    pub(super) transfer: u64,
    pub(super) centicredits: u64,
}

impl Used {
    fn add(&mut self, run: &MakeRun) {
        self.operations += run.operations;
        self.transfer += run.transfer;
        self.centicredits += run.centicredits;
    }

    /// By what a run is more than it was.
    fn grow(&mut self, was: &MakeRun, is: &MakeRun) {
        self.operations += is.operations.saturating_sub(was.operations);
        self.transfer += is.transfer.saturating_sub(was.transfer);
        self.centicredits += is.centicredits.saturating_sub(was.centicredits);
    }
}

impl Runs {
    /// Adds runs and returns what they used. One whose id is known takes the place of the earlier one.
    pub(super) fn add(&mut self, scenario: u64, runs: Vec<MakeRun>) -> Used {
        let mut used = Used::default();
        for mut run in runs {
            let id = run.id.get_or_insert_with(|| uuid::Uuid::new_v4().simple().to_string()).clone();
            let imt_id = format!("{}_scenario.{scenario}.{}.{id}", run.timestamp.as_millisecond(), run.kind);
            let known = self.places.insert(id, imt_id.clone());
            match known.and_then(|known| self.log.remove(&known)) {
                None => used.add(&run),
                Some(earlier) => used.grow(&earlier, &run),
            }
            self.log.insert(imt_id, run);
        }
        used
    }

    /// The rows after the last one that was seen, each with its `imtId`.
    pub(super) fn log(&self, query: &LogQuery<'_>) -> Vec<(&str, &MakeRun)> {
        let edge = match (query.last, query.show_last) {
            (None, _) => Unbounded,
            (Some(last), true) => Included(last),
            (Some(last), false) => Excluded(last),
        };
        let bounds = if query.descending { (Unbounded, edge) } else { (edge, Unbounded) };
        let within = |(_, run): &(&String, &MakeRun)| {
            let at = run.timestamp.as_millisecond();
            query.from.is_none_or(|from| at >= from) && query.to.is_none_or(|to| at <= to)
        };
        let rows = self.log.range::<str, _>(bounds);
        let rows: Box<dyn Iterator<Item = _>> = if query.descending { Box::new(rows.rev()) } else { Box::new(rows) };
        rows.filter(within).take(query.limit).map(|(imt_id, run)| (imt_id.as_str(), run)).collect()
    }

    pub(super) fn find(&self, id: &str) -> Option<(&str, &MakeRun)> {
        let (imt_id, run) = self.log.get_key_value(self.places.get(id)?)?;
        Some((imt_id, run))
    }

    pub(super) fn since(&self, start: Timestamp) -> Used {
        let mut used = Used::default();
        self.log.values().filter(|run| run.timestamp >= start).for_each(|run| used.add(run));
        used
    }
}

impl MakeRun {
    /// A row of the log.
    pub(super) fn shown(&self, imt_id: &str, organization: u64, team: u64) -> Value {
        json!({
            "imtId": imt_id, "id": self.id, "type": self.kind, "status": self.status, "duration": self.duration,
            "operations": self.operations, "centicredits": self.centicredits, "transfer": self.transfer,
            "organizationId": organization, "teamId": team, "authorId": self.author_id, "instant": self.instant,
            "timestamp": format!("{:.3}", self.timestamp),
        })
    }
}

/// What was used on each of the last thirty days, today last. Days are cut in this time zone.
pub(super) fn usage<'a>(all: impl Iterator<Item = &'a Runs>, zone: &TimeZone) -> Vec<Value> {
    let today = Timestamp::now().to_zoned(zone.clone()).date();
    let mut days: BTreeMap<Date, Used> =
        (0..30).map(|ago| (today.saturating_sub(ago.days()), Used::default())).collect();
    for run in all.flat_map(|runs| runs.log.values()) {
        if let Some(day) = days.get_mut(&run.timestamp.to_zoned(zone.clone()).date()) {
            day.add(run);
        }
    }
    let row = |(date, used): (Date, Used)| {
        json!({
            "date": date, "operations": used.operations, "dataTransfer": used.transfer,
            "centicredits": used.centicredits,
        })
    };
    days.into_iter().map(row).collect()
}
