//! A run of a scenario, counted once; and what the runs of a day come to.
//!
//! The counters of a day change in one transaction with the run that they count, so that a run that comes twice, late or
//! corrected counts once, as it was told last. Runs that Make.com's id tells apart and runs that came without one are
//! counted apart: where both are known of a day, the former say it all.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::{
    id::TenantId,
    key::{self, Index, Key},
    scenario::Mapped,
    sheet::Cell,
    table::Row,
    trace::TraceId,
    usage::Usd,
};

/// So long a run is kept: a year can be compared with the one before by its days, which stay.
pub const KEEP: SignedDuration = SignedDuration::from_hours(400 * 24);

/// How a run ended. A warning is neither success nor failure: with "store incomplete executions" on, Make.com turns every
/// error into one (help.make.com, overview of error handling).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// All went well.
    Success,
    /// It ended, and something in it did not.
    Warning,
    /// It failed.
    Error,
}

/// Who told of a run. Make.com's own log has the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A webhook, without Make.com's id: known by what it says.
    Anonymous,
    /// A webhook, with Make.com's id.
    Reported,
    /// Make.com's log.
    Pulled,
}

/// A run of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Whose.
    pub tenant: TenantId,
    /// Of which scenario.
    pub scenario: String,
    /// Make.com's id of it, or what it says in 32 characters where it came without one.
    pub id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// The day that it counts for, in the tenant's time zone.
    pub date: Date,
    /// Hours since that day began: 0 to 24, for a day may have 25.
    pub hour: u8,
    /// How it ended.
    pub status: RunStatus,
    /// Operations: a measure of volume.
    pub operations: u64,
    /// Hundredths of a credit, which is what Make.com bills; where it was told.
    pub centicredits: Option<u64>,
    /// Bytes that it moved.
    #[serde(default)]
    pub transfer: u64,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// What it cost, where whoever told of it said so.
    pub cost: Option<Usd>,
    /// Who told of it.
    pub origin: Origin,
    /// What ties it to an event of ours, where whoever told of it knew.
    pub trace: Option<TraceId>,
    /// Grows with each correction.
    pub revision: u32,
    /// When it was last told of.
    pub told_at: Timestamp,
}

impl Row for Run {
    const KIND: &'static str = "run";

    fn key(&self) -> Key<Self> {
        key::run(self.tenant, &self.scenario, &self.id)
    }

    fn index(&self) -> Option<Index> {
        Some(key::runs_by_time(self.tenant, &self.scenario, self.started_at, &self.id))
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.started_at + KEEP)
    }
}

impl Run {
    /// Whether it ended well and did nothing: a check that finds nothing costs one operation (help.make.com, credits).
    pub fn is_empty(&self) -> bool {
        self.status == RunStatus::Success && self.operations <= 1
    }

    /// What it adds to its day.
    pub fn counters(&self) -> Counters {
        let set = if self.origin == Origin::Anonymous { Set::Anonymous } else { Set::Known };
        let ended = match self.status {
            RunStatus::Success => Count::Succeeded,
            RunStatus::Warning => Count::Warned,
            RunStatus::Error => Count::Failed,
        };
        let empty = u64::from(self.is_empty());
        let counts = [
            (ended, 1),
            (Count::Empty, empty),
            (Count::Operations, self.operations),
            (Count::Centicredits, self.centicredits.unwrap_or_default()),
            (Count::Credited, u64::from(self.centicredits.is_some())),
            (Count::Transfer, self.transfer),
            (Count::DurationMs, self.duration_ms.unwrap_or_default()),
            (Count::Timed, u64::from(self.duration_ms.is_some())),
            (Count::Cost, self.cost.unwrap_or_default().ten_thousandths()),
        ];
        let of_day = counts.map(|(count, n)| (Field { set, hour: None, count }, n));
        let of_hour =
            [(ended, 1), (Count::Empty, empty)].map(|(count, n)| (Field { set, hour: Some(self.hour), count }, n));
        Counters(of_day.into_iter().chain(of_hour).filter(|(_, n)| *n > 0).collect())
    }
}

/// What the runs of a scenario on a day come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunDay {
    /// Whose.
    pub tenant: TenantId,
    /// Of which scenario.
    pub scenario: String,
    /// Which day, in the tenant's time zone.
    pub date: Date,
    /// When it was last told of.
    pub told_at: Timestamp,
    /// What Make.com's own count of the day says.
    pub usage: Option<DayUsage>,
    /// The counters.
    #[serde(flatten)]
    pub counters: Counters,
}

/// What Make.com counted for a scenario on a day (`GET /scenarios/{id}/usage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayUsage {
    /// Operations.
    pub operations: u64,
    /// Hundredths of a credit.
    pub centicredits: u64,
    /// Bytes.
    pub transfer: u64,
}

impl Row for RunDay {
    const KIND: &'static str = "run_day";

    fn key(&self) -> Key<Self> {
        key::run_day(self.tenant, self.date, &self.scenario)
    }
}

/// What runs come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that ended well.
    pub succeeded: u64,
    /// With a warning.
    pub warned: u64,
    /// Those that failed.
    pub failed: u64,
    /// Of those that ended well, those that did nothing.
    pub empty: u64,
}

impl Tally {
    /// All runs.
    pub fn runs(&self) -> u64 {
        self.succeeded + self.warned + self.failed
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.succeeded += more.succeeded;
        self.warned += more.warned;
        self.failed += more.failed;
        self.empty += more.empty;
    }
}

impl RunDay {
    /// The runs of the day.
    pub fn tally(&self) -> Tally {
        self.tally_at(None)
    }

    /// The runs of an hour since the day began, 0 to 24.
    pub fn tally_of(&self, hour: u8) -> Tally {
        self.tally_at(Some(hour))
    }

    fn tally_at(&self, hour: Option<u8>) -> Tally {
        let set = self.counters.set();
        let get = |count| self.counters.get(Field { set, hour, count });
        Tally {
            succeeded: get(Count::Succeeded),
            warned: get(Count::Warned),
            failed: get(Count::Failed),
            empty: get(Count::Empty),
        }
    }

    /// The day as a cell of its owner's sheet.
    pub fn cell(&self, mapped: &Mapped) -> Cell {
        let set = self.counters.set();
        let get = |count| self.counters.get(Field { set, hour: None, count });
        let Tally { succeeded, warned, failed, empty } = self.tally();
        let runs = succeeded + warned + failed;
        let usage = self.usage;
        // Make.com's own count knows of runs that its log has forgotten; the log knows of those since it was asked.
        let most = |usage: Option<u64>, counted: u64| usage.map_or(counted, |usage| usage.max(counted));
        let is_credited = usage.is_some() || (runs > 0 && get(Count::Credited) == runs);
        Cell {
            operations: most(usage.map(|usage| usage.operations), get(Count::Operations)),
            centicredits: is_credited.then(|| most(usage.map(|usage| usage.centicredits), get(Count::Centicredits))),
            succeeded,
            warned,
            failed,
            empty,
            cost: Usd::from_ten_thousandths(get(Count::Cost)),
            seconds_saved: (succeeded + warned).saturating_sub(empty) * u64::from(mapped.seconds_saved),
            duration_ms: get(Count::DurationMs),
            timed: get(Count::Timed),
            transfer: most(usage.map(|usage| usage.transfer), get(Count::Transfer)),
            stated: None,
        }
    }
}

/// Which runs are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Set {
    /// Those that Make.com's id tells apart.
    Known,
    /// The others.
    Anonymous,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Count {
    Succeeded,
    Warned,
    Failed,
    Empty,
    Operations,
    Centicredits,
    /// Runs whose credits are known.
    Credited,
    Transfer,
    DurationMs,
    /// Runs whose duration is known.
    Timed,
    Cost,
}

impl Count {
    const ALL: [(Self, char); 11] = [
        (Self::Succeeded, 's'),
        (Self::Warned, 'w'),
        (Self::Failed, 'f'),
        (Self::Empty, 'e'),
        (Self::Operations, 'o'),
        (Self::Centicredits, 'c'),
        (Self::Credited, 'k'),
        (Self::Transfer, 't'),
        (Self::DurationMs, 'd'),
        (Self::Timed, 'n'),
        (Self::Cost, 'u'),
    ];
}

/// One counter: an attribute of the row, three to five characters long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Field {
    set: Set,
    /// Of one hour, or of the whole day.
    hour: Option<u8>,
    count: Count,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.set {
            Set::Known => "_",
            Set::Anonymous => "x_",
        })?;
        if let Some(hour) = self.hour {
            write!(f, "{hour}")?;
        }
        let letter = Count::ALL.iter().find(|(count, _)| *count == self.count).map_or('?', |(_, letter)| *letter);
        write!(f, "{letter}")
    }
}

impl Field {
    fn read(name: &str) -> Option<Self> {
        let (set, rest) = match name.strip_prefix("x_") {
            Some(rest) => (Set::Anonymous, rest),
            None => (Set::Known, name.strip_prefix('_')?),
        };
        let letter = rest.chars().next_back()?;
        let (count, _) = Count::ALL.into_iter().find(|(_, of)| *of == letter)?;
        let hour = match &rest[..rest.len() - letter.len_utf8()] {
            "" => None,
            hour => Some(hour.parse().ok()?),
        };
        Some(Self { set, hour, count })
    }
}

/// Counters of runs, each an attribute of a row, so that they grow by `ADD`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<Field, u64>);

impl Counters {
    fn get(&self, field: Field) -> u64 {
        self.0.get(&field).copied().unwrap_or_default()
    }

    /// Which runs tell of the day.
    fn set(&self) -> Set {
        self.0.keys().next().map_or(Set::Known, |field| field.set)
    }

    /// What these are more than others, by attribute; what is the same is left out.
    pub fn less(&self, others: &Self) -> BTreeMap<String, i64> {
        let mut fields: BTreeMap<Field, i64> = self.0.iter().map(|(field, n)| (*field, whole(*n))).collect();
        for (field, n) in &others.0 {
            *fields.entry(*field).or_default() -= whole(*n);
        }
        fields.into_iter().filter(|(_, n)| *n != 0).map(|(field, n)| (field.to_string(), n)).collect()
    }
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, n)| (field.to_string(), n)))
    }
}

impl<'de> Deserialize<'de> for Counters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Attributes;
        impl<'de> Visitor<'de> for Attributes {
            type Value = Counters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the attributes of a day of runs")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counters, A::Error> {
                let mut counters = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    match Field::read(&name) {
                        // Corrections may leave a zero behind.
                        Some(field) => match map.next_value::<u64>()? {
                            0 => {}
                            n => drop(counters.insert(field, n)),
                        },
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Counters(counters))
            }
        }
        deserializer.deserialize_map(Attributes)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn run(status: RunStatus, operations: u64, origin: Origin) -> Run {
        Run {
            tenant: TenantId::new(),
            scenario: "1".into(),
            id: "r".into(),
            started_at: Timestamp::UNIX_EPOCH,
            date: date(2026, 10, 25),
            hour: 24,
            status,
            operations,
            centicredits: Some(operations * 100),
            transfer: 10,
            duration_ms: Some(5),
            cost: None,
            origin,
            trace: None,
            revision: 0,
            told_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn day(runs: &[Run]) -> RunDay {
        let mut counters = BTreeMap::new();
        for (field, n) in runs.iter().flat_map(|run| run.counters().0) {
            *counters.entry(field).or_default() += n;
        }
        RunDay {
            tenant: TenantId::new(),
            scenario: "1".into(),
            date: date(2026, 10, 25),
            told_at: Timestamp::UNIX_EPOCH,
            usage: None,
            counters: Counters(counters),
        }
    }

    #[test]
    fn the_counters_of_a_day_survive_their_row() {
        let day = day(&[run(RunStatus::Success, 1, Origin::Pulled), run(RunStatus::Error, 7, Origin::Anonymous)]);
        let item: std::collections::HashMap<String, serde_dynamo::AttributeValue> =
            serde_dynamo::to_item(&day).unwrap();
        assert!(item.contains_key("_24s") && item.contains_key("x_f"));
        let back: RunDay = serde_dynamo::from_item(item).unwrap();
        assert_eq!(back.counters, day.counters);
    }

    #[test]
    fn runs_without_an_id_count_only_where_no_others_are_known() {
        let anonymous = run(RunStatus::Error, 7, Origin::Anonymous);
        assert_eq!(day(std::slice::from_ref(&anonymous)).tally().failed, 1);
        let both = day(&[anonymous, run(RunStatus::Success, 3, Origin::Pulled)]);
        assert_eq!(
            (both.tally().runs(), both.tally_of(24).succeeded, both.cell(&Mapped::default()).operations),
            (1, 1, 3)
        );
    }

    #[test]
    fn a_correction_is_a_difference() {
        let (was, is) = (run(RunStatus::Success, 1, Origin::Pulled), run(RunStatus::Error, 4, Origin::Pulled));
        let change = is.counters().less(&was.counters());
        assert_eq!((change["_f"], change["_s"], change["_o"], change["_24e"]), (1, -1, 3, -1));
        assert!(was.counters().less(&was.counters()).is_empty());
    }

    #[test]
    fn the_larger_of_two_counts_is_the_days() {
        let mut day = day(&[run(RunStatus::Success, 5, Origin::Pulled)]);
        day.usage = Some(DayUsage { operations: 9, centicredits: 300, transfer: 0 });
        let cell = day.cell(&Mapped { seconds_saved: 60, ..Mapped::default() });
        assert_eq!((cell.operations, cell.centicredits, cell.transfer, cell.seconds_saved), (9, Some(500), 10, 60));
    }
}
