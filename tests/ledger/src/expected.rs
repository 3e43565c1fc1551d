//! The sums, computed from the raw runs by other code than the product's.

use std::collections::BTreeMap;

use jiff::Timestamp;
use shared::{
    run::{Run, RunStatus},
    scenario::{Owner, Scenario},
};

/// Summer time ends in Lisbon: one hour ahead of UTC before, none after.
const WINTER: i64 = 1_792_890_000; // 2026-10-25T01:00:00Z

/// Days since 1970, as Lisbon cuts them.
pub fn day(at: Timestamp) -> i64 {
    let ahead = if at.as_second() < WINTER { 3_600 } else { 0 };
    (at.as_second() + ahead).div_euclid(86_400)
}

/// What runs come to. Cost in hundred-millionths of a dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub operations: u64,
    pub centicredits: u64,
    pub succeeded: u64,
    pub warned: u64,
    pub failed: u64,
    pub empty: u64,
    pub cost: u128,
    pub seconds_saved: u64,
    pub transfer: u64,
}

/// Prices in millionths of a dollar a credit: until the sixtieth day, and from then on.
pub const PRICES: [u128; 2] = [1_060, 1_200];

/// All sums of a range of days, both included.
#[derive(Default)]
pub struct Expected {
    pub total: Sum,
    pub days: BTreeMap<i64, Sum>,
    pub owners: BTreeMap<Owner, Sum>,
    pub scenarios: BTreeMap<(Owner, String), Sum>,
}

/// Adds up what lies in a range and is wanted. `turns` are the first day of the second price, and of the second owners.
pub fn of<'r>(
    runs: impl Iterator<Item = &'r Run>,
    scenarios: &BTreeMap<String, Scenario>,
    (from, to): (i64, i64),
    (new_price, middle): (i64, i64),
    wanted: impl Fn(Owner, &str) -> bool,
) -> Expected {
    let mut expected = Expected::default();
    for run in runs {
        let day = day(run.started_at);
        if day < from || day > to {
            continue;
        }
        let mapping = &scenarios[&run.scenario].mapping;
        let mapped = match mapping.len() {
            0 => None,
            1 => Some(&mapping[0]),
            _ => Some(&mapping[usize::from(day >= middle)]),
        };
        let owner = mapped.map_or(Owner::Unmapped, |mapped| mapped.owner);
        if !wanted(owner, &run.scenario) {
            continue;
        }
        let credits = run.centicredits.unwrap_or_default();
        let is_empty = run.status == RunStatus::Success && run.operations <= 1;
        let saves = run.status != RunStatus::Error && !is_empty;
        let sum = Sum {
            operations: run.operations,
            centicredits: credits,
            succeeded: u64::from(run.status == RunStatus::Success),
            warned: u64::from(run.status == RunStatus::Warning),
            failed: u64::from(run.status == RunStatus::Error),
            empty: u64::from(is_empty),
            cost: u128::from(credits) * PRICES[usize::from(day >= new_price)],
            seconds_saved: if saves { mapped.map_or(0, |mapped| u64::from(mapped.seconds_saved)) } else { 0 },
            transfer: run.transfer,
        };
        let places = [
            &mut expected.total,
            expected.days.entry(day).or_default(),
            expected.owners.entry(owner).or_default(),
            expected.scenarios.entry((owner, run.scenario.clone())).or_default(),
        ];
        places.into_iter().for_each(|place| place.add(&sum));
    }
    expected
}

impl Sum {
    fn add(&mut self, more: &Self) {
        self.operations += more.operations;
        self.centicredits += more.centicredits;
        self.succeeded += more.succeeded;
        self.warned += more.warned;
        self.failed += more.failed;
        self.empty += more.empty;
        self.cost += more.cost;
        self.seconds_saved += more.seconds_saved;
        self.transfer += more.transfer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_25_hours_ends_an_hour_later() {
        let at = |text: &str| day(text.parse().unwrap());
        let begin = at("2026-10-24T23:00:00Z");
        assert_eq!(at("2026-10-24T22:59:59Z"), begin - 1);
        assert_eq!(at("2026-10-25T23:59:59Z"), begin);
        assert_eq!(at("2026-10-26T00:00:00Z"), begin + 1);
    }
}
