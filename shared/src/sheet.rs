//! What the scenarios of one owner did on one day: a row a day, folded from all that is known of it.
//!
//! ```text
//! usage as stated (`sync`) ──┐
//! runs, and Make's own count ┴─► sheet of a client, the company or what is unmapped ──► its totals, by type
//! ```
//!
//! A sheet is written by the fold alone, which reads the day anew; so it is right again after whatever came late. Of a
//! scenario with runs on a day, what was stated for that day does not count: one of the two says it, and nothing twice.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    id::TenantId,
    key::{self, Key},
    scenario::Owner,
    table::Row,
    usage::{OperationType, ScenarioStatus, Usage, Usd},
};

/// What a cell is about: a scenario, by its id or else by its name, and a type of operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subject {
    /// What the operations were for.
    pub operation_type: OperationType,
    /// Whether `scenario` is Make.com's id.
    pub by_id: bool,
    /// The scenario.
    pub scenario: String,
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        let n = OperationType::ALL.iter().position(|one| *one == subject.operation_type).unwrap_or_default();
        format!("{n}{}{}", if subject.by_id { 'i' } else { 'n' }, subject.scenario)
    }
}

impl TryFrom<String> for Subject {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fault = || format!("`{text}` is no subject of a cell");
        let mut chars = text.chars();
        let n = chars.next().and_then(|n| n.to_digit(10)).ok_or_else(fault)?;
        let operation_type = *OperationType::ALL.get(n as usize).ok_or_else(fault)?;
        let by_id = match chars.next() {
            Some('i') => true,
            Some('n') => false,
            _ => return Err(fault()),
        };
        Ok(Self { operation_type, by_id, scenario: chars.as_str().into() })
    }
}

/// What a scenario did on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub struct Cell {
    /// Operations.
    pub operations: u64,
    /// Hundredths of a credit, where they are known of the whole day.
    pub centicredits: Option<u64>,
    /// Runs that ended well.
    pub succeeded: u64,
    /// With a warning.
    pub warned: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Of those that ended well, those that did nothing.
    pub empty: u64,
    /// What it cost, as whoever told of it said.
    pub cost: Usd,
    /// Seconds of somebody's work that it saved.
    pub seconds_saved: u64,
    /// Milliseconds that the runs took whose duration is known.
    pub duration_ms: u64,
    /// How many those are.
    pub timed: u64,
    /// Bytes.
    pub transfer: u64,
    /// What was stated of the scenario, where the day was.
    pub stated: Option<Stated>,
}

/// What a day's statement says of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// What people call it.
    pub name: String,
    /// How it was doing.
    pub status: ScenarioStatus,
    /// Operations that there may be in a day.
    pub limit: Option<u64>,
}

/// A cell as it is stored: numbers without names, of which a day has hundreds.
type Packed = (Vec<u64>, Option<Stated>);

impl From<Cell> for Packed {
    fn from(cell: Cell) -> Self {
        let mut numbers = vec![
            cell.operations,
            cell.succeeded,
            cell.failed,
            // Known to be nothing is not the same as unknown.
            cell.centicredits.map_or(0, |n| n + 1),
            cell.warned,
            cell.empty,
            cell.cost.ten_thousandths(),
            cell.seconds_saved,
            cell.duration_ms,
            cell.timed,
            cell.transfer,
        ];
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        (numbers, cell.stated)
    }
}

impl From<Packed> for Cell {
    fn from((numbers, stated): Packed) -> Self {
        let n = |at: usize| numbers.get(at).copied().unwrap_or_default();
        Self {
            operations: n(0),
            succeeded: n(1),
            failed: n(2),
            centicredits: n(3).checked_sub(1),
            warned: n(4),
            empty: n(5),
            cost: Usd::from_ten_thousandths(n(6)),
            seconds_saved: n(7),
            duration_ms: n(8),
            timed: n(9),
            transfer: n(10),
            stated,
        }
    }
}

impl Cell {
    /// Takes in one more row that was stated for the same scenario, day and type: each call has one.
    pub fn state(&mut self, row: &Usage) {
        self.operations += row.operations;
        self.succeeded += row.succeeded;
        self.failed += row.failed;
        self.cost += row.cost;
        self.stated = Some(Stated { name: row.scenario_name.clone(), status: row.status, limit: row.limit });
    }
}

/// So many cells a row: a row holds 400 kB, and a cell with a name of 200 letters of four bytes each, twice, is 1.8 kB.
pub const CELLS: usize = 200;

/// What the scenarios of an owner did on a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sheet {
    /// Whose.
    pub tenant: TenantId,
    /// For whom they ran.
    pub owner: Owner,
    /// Which day.
    pub date: Date,
    /// Which of its rows; most days have one.
    #[serde(default)]
    pub nth: u32,
    /// Each of them. One text in the table: a range has thousands, and as many values of its own take ten times as long.
    #[serde(with = "text")]
    pub cells: BTreeMap<Subject, Cell>,
    /// When the latest of it was told.
    pub told_at: Option<Timestamp>,
}

mod text {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    use super::{Cell, Subject};

    pub fn serialize<S: Serializer>(cells: &BTreeMap<Subject, Cell>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(cells).map_err(ser::Error::custom)?)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Subject, Cell>, D::Error> {
        serde_json::from_str(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Sheet {
    /// The same in rows that are small enough.
    pub fn rows(self) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        for (n, (subject, cell)) in self.cells.into_iter().enumerate() {
            if n % CELLS == 0 {
                let nth = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                let Self { tenant, owner, date, told_at, .. } = self;
                rows.push(Self { tenant, owner, date, nth, cells: BTreeMap::new(), told_at });
            }
            if let Some(row) = rows.last_mut() {
                row.cells.insert(subject, cell);
            }
        }
        rows
    }
}

impl Row for Sheet {
    const KIND: &'static str = "sheet";

    fn key(&self) -> Key<Self> {
        key::sheet(self.tenant, self.owner, self.date, self.nth)
    }
}

/// What an owner's scenarios did on a day, by type of operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DayTotal {
    /// Whose.
    pub tenant: TenantId,
    /// For whom they ran.
    pub owner: Owner,
    /// Which day.
    pub date: Date,
    /// The sums, of types that there were.
    pub types: BTreeMap<OperationType, Sums>,
    /// When the latest of it was told.
    pub told_at: Option<Timestamp>,
}

impl Row for DayTotal {
    const KIND: &'static str = "day_total";

    fn key(&self) -> Key<Self> {
        key::day_total(self.tenant, self.owner, self.date)
    }
}

impl DayTotal {
    /// The totals of a sheet.
    pub fn of(sheet: &Sheet) -> Self {
        let mut types: BTreeMap<OperationType, Sums> = BTreeMap::new();
        for (subject, cell) in &sheet.cells {
            types.entry(subject.operation_type).or_default().take(cell);
        }
        Self { tenant: sheet.tenant, owner: sheet.owner, date: sheet.date, types, told_at: sheet.told_at }
    }

    /// All types together.
    pub fn sums(&self) -> Sums {
        let mut all = Sums::default();
        self.types.values().for_each(|sums| all += *sums);
        all
    }
}

/// What cells come to. Two of them add up as well as their cells do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Operations.
    #[serde(rename = "o")]
    pub operations: u64,
    /// Hundredths of a credit, of cells where they are known.
    #[serde(rename = "c")]
    pub centicredits: u64,
    /// Cells whose credits are not known, and that had operations.
    #[serde(rename = "k", default)]
    pub uncredited: u64,
    /// Runs that ended well.
    #[serde(rename = "s")]
    pub succeeded: u64,
    /// With a warning.
    #[serde(rename = "w", default)]
    pub warned: u64,
    /// Runs that failed.
    #[serde(rename = "f")]
    pub failed: u64,
    /// Of those that ended well, those that did nothing.
    #[serde(rename = "e", default)]
    pub empty: u64,
    /// What was stated as the cost of all of them.
    #[serde(rename = "u")]
    pub cost: Usd,
    /// The same of those whose credits are not known.
    #[serde(rename = "v", default)]
    pub uncredited_cost: Usd,
    /// Seconds of somebody's work that were saved.
    #[serde(rename = "m", default)]
    pub seconds_saved: u64,
    /// Milliseconds that the runs took whose duration is known.
    #[serde(rename = "d", default)]
    pub duration_ms: u64,
    /// How many those are.
    #[serde(rename = "n", default)]
    pub timed: u64,
    /// Bytes.
    #[serde(rename = "t", default)]
    pub transfer: u64,
}

impl Sums {
    /// Adds a cell.
    pub fn take(&mut self, cell: &Cell) {
        self.operations += cell.operations;
        self.centicredits += cell.centicredits.unwrap_or_default();
        self.succeeded += cell.succeeded;
        self.warned += cell.warned;
        self.failed += cell.failed;
        self.empty += cell.empty;
        self.cost += cell.cost;
        if cell.centicredits.is_none() {
            self.uncredited += u64::from(cell.operations > 0);
            self.uncredited_cost += cell.cost;
        }
        self.seconds_saved += cell.seconds_saved;
        self.duration_ms += cell.duration_ms;
        self.timed += cell.timed;
        self.transfer += cell.transfer;
    }

    /// All runs.
    pub fn runs(&self) -> u64 {
        self.succeeded + self.warned + self.failed
    }
}

impl std::ops::AddAssign for Sums {
    fn add_assign(&mut self, more: Self) {
        self.operations += more.operations;
        self.centicredits += more.centicredits;
        self.uncredited += more.uncredited;
        self.succeeded += more.succeeded;
        self.warned += more.warned;
        self.failed += more.failed;
        self.empty += more.empty;
        self.cost += more.cost;
        self.uncredited_cost += more.uncredited_cost;
        self.seconds_saved += more.seconds_saved;
        self.duration_ms += more.duration_ms;
        self.timed += more.timed;
        self.transfer += more.transfer;
    }
}

/// That a day has to be folded again: something of it is told at about this time. It is noted before that is written, so
/// whoever folds lets the note stand until nobody can be writing any more, see [`Unfolded::SETTLED`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unfolded {
    /// Whose.
    pub tenant: TenantId,
    /// Which day.
    pub date: Date,
    /// Milliseconds since 1970 when it was noted last.
    pub noted_ms: i64,
}

impl Unfolded {
    /// Whoever notes a day writes what it tells within this time, or never: a request has its end, and the turn of a pull,
    /// which takes longer, is broken off after its share and what it may spare, 75 seconds.
    pub const SETTLED: SignedDuration = SignedDuration::from_mins(2);

    /// Whether what was told with it can be read by now.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        now.as_millisecond() - self.noted_ms > i64::try_from(Self::SETTLED.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Row for Unfolded {
    const KIND: &'static str = "unfolded";

    fn key(&self) -> Key<Self> {
        key::unfolded(self.tenant, self.date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_stored_as_numbers_and_read_as_it_was() {
        for cell in [
            Cell::default(),
            Cell { operations: 3, centicredits: Some(0), ..Cell::default() },
            Cell {
                transfer: 9,
                warned: 1,
                cost: Usd::from_ten_thousandths(75_000),
                stated: Some(Stated { name: "Intake".into(), status: ScenarioStatus::Active, limit: Some(1_000) }),
                ..Cell::default()
            },
        ] {
            let stored: serde_dynamo::AttributeValue = serde_dynamo::to_attribute_value(&cell).unwrap();
            assert_eq!(serde_dynamo::from_attribute_value::<_, Cell>(stored).unwrap(), cell);
        }
    }

    /// What DynamoDB counts (docs.aws.amazon.com, item sizes and formats), numbers at their longest.
    fn size(value: &serde_dynamo::AttributeValue) -> usize {
        use serde_dynamo::AttributeValue::{L, M, N, S};
        match value {
            S(text) => text.len(),
            N(_) => 21,
            L(list) => 3 + list.iter().map(|one| 1 + size(one)).sum::<usize>(),
            M(map) => 3 + map.iter().map(|(name, one)| 1 + name.len() + size(one)).sum::<usize>(),
            _ => 1,
        }
    }

    #[test]
    fn the_largest_row_that_may_be_told_is_one_that_the_table_takes() {
        let longest = |n: u64| format!("{n:06}{}", "\u{1f6a2}".repeat(194));
        let cell = |n: u64| Cell {
            operations: u64::MAX,
            centicredits: Some(u64::MAX - 1),
            succeeded: u64::MAX,
            warned: u64::MAX,
            failed: u64::MAX,
            empty: u64::MAX,
            cost: Usd::from_ten_thousandths(u64::MAX),
            seconds_saved: u64::MAX,
            duration_ms: u64::MAX,
            timed: u64::MAX,
            transfer: u64::MAX,
            stated: Some(Stated { name: longest(n), status: ScenarioStatus::Disabled, limit: Some(u64::MAX) }),
        };
        let subject = |n: u64| Subject { operation_type: OperationType::General, by_id: false, scenario: longest(n) };
        let sheet = Sheet {
            tenant: TenantId::new(),
            owner: Owner::Client(crate::id::ClientId::new()),
            date: jiff::civil::date(2026, 11, 21),
            nth: 0,
            cells: (0..450).map(|n| (subject(n), cell(n))).collect(),
            told_at: Some(Timestamp::MAX),
        };
        let rows = sheet.rows();
        assert_eq!(rows.iter().map(|row| row.cells.len()).collect::<Vec<_>>(), [200, 200, 50]);
        for row in rows {
            let row = serde_dynamo::to_attribute_value(&row).unwrap();
            // Keys, kind and version come to less than 1 kB.
            assert!(size(&row) + 1_000 < 400_000, "{} bytes", size(&row));
        }
    }

    #[test]
    fn a_subject_is_a_key_of_a_sheet() {
        for (by_id, scenario) in [(true, "418339"), (false, "Lead ïntake #2"), (false, "")] {
            for operation_type in OperationType::ALL {
                let subject = Subject { operation_type, by_id, scenario: scenario.into() };
                assert_eq!(Subject::try_from(String::from(subject.clone())).unwrap(), subject);
            }
        }
        for wrong in ["", "9i1", "0x1", "i"] {
            assert!(Subject::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
