//! What scenarios did in the last days, each by itself.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan, civil::Date};
use shared::{
    Result,
    id::TenantId,
    key,
    money::{Amount, Cost},
    rate::Rates,
    scenario::{Owner, Scenario},
    sheet::Sheet,
    table::Table,
};

use super::{HourView, Kind, Saves, Suggestion};

/// So many owners are read at once.
const ABREAST: usize = 8;
/// The hours of so many scenarios are looked at, those with the most failures first: 30 small rows each.
const BY_HOUR: usize = 3;
/// Hours that are told.
const HOURS: usize = 3;

/// What a scenario did on a day.
#[derive(Clone, Copy, Default)]
pub struct Day {
    pub runs: u64,
    pub failed: u64,
    pub empty: u64,
    pub operations: u64,
    pub centicredits: u64,
}

/// A scenario, and its days.
pub struct Told {
    pub id: String,
    pub owner: Owner,
    /// What is known of it, where Make.com or a run told; nothing where it is somebody else's by now.
    pub known: Option<Scenario>,
    stated_name: Option<String>,
    stated_limit: Option<u64>,
    /// Those with anything on them.
    pub days: BTreeMap<Date, Day>,
}

impl Told {
    /// What people call it.
    pub fn name(&self) -> String {
        let known = self.known.as_ref().map(|known| known.name.clone());
        known.or_else(|| self.stated_name.clone()).unwrap_or_else(|| self.id.clone())
    }

    /// Operations that there may be in a day.
    pub fn limit(&self) -> Option<u64> {
        self.known.as_ref().and_then(|known| known.daily_limit).or(self.stated_limit)
    }

    /// All days together.
    pub fn sum(&self, of: impl Fn(&Day) -> u64) -> u64 {
        self.days.values().map(of).sum()
    }
}

/// What scenarios did.
pub struct Ledger {
    tenant: TenantId,
    rates: Rates,
    /// The days that were looked at.
    pub range: (Date, Date),
    /// When that was.
    pub now: Timestamp,
    /// By owner and id.
    pub scenarios: Vec<Told>,
}

impl Ledger {
    /// Reads the sheets of owners, and all scenarios of the tenant.
    pub async fn read(
        table: &Table,
        tenant: TenantId,
        owners: &[Owner],
        range: (Date, Date),
        now: Timestamp,
        rates: Rates,
    ) -> Result<Self> {
        let today = after(range.1);
        let reads: Vec<_> = owners
            .iter()
            .map(|owner| async move { table.list_all(&key::sheets(tenant, *owner, range.0, range.1)).await })
            .collect();
        let mut sheets = stream::iter(reads).buffered(ABREAST);
        let known = table.list_all(&key::scenarios(tenant)).await?;
        let known: HashMap<String, Scenario> = known.into_iter().map(|one| (one.id.clone(), one)).collect();
        let mut told: BTreeMap<(Owner, String), Told> = BTreeMap::new();
        while let Some(read) = sheets.try_next().await? {
            read.iter().for_each(|sheet| take(&mut told, sheet));
        }
        // Those that did nothing are somebody's, too.
        for scenario in known.values() {
            let owner = scenario.on(today).owner;
            if owners.contains(&owner) {
                told.entry((owner, scenario.id.clone())).or_insert_with(|| empty(owner, &scenario.id));
            }
        }
        let known = |one: &Told| known.get(&one.id).filter(|known| known.is_known_to(one.owner, today)).cloned();
        let scenarios = told.into_values().map(|one| Told { known: known(&one), ..one });
        Ok(Self { tenant, rates, range, now, scenarios: scenarios.collect() })
    }

    /// The tenant's day.
    pub fn today(&self) -> Date {
        after(self.range.1)
    }

    /// What so many hundredths of a credit in these days are in a month.
    pub fn saves(&self, told: &Told, centicredits: u64) -> Option<Saves> {
        if centicredits == 0 {
            return None;
        }
        let rate = self.rates.on(told.owner, self.range.1);
        let cost = rate.map(|rate| Cost { currency: rate.currency.clone(), amount: Amount(rate.cost(centicredits)) });
        Some(Saves { credits: Amount::hundredths(centicredits), cost })
    }

    /// Tells of the scenarios that fail the most in which hours they do.
    pub async fn tell_hours(&self, table: &Table, suggestions: &mut [Suggestion]) -> Result<()> {
        let mut failing: Vec<&mut Suggestion> =
            suggestions.iter_mut().filter(|one| one.kind == Kind::ErrorsRepeat).collect();
        failing.sort_by_key(|one| std::cmp::Reverse(one.evidence.error_count));
        for suggestion in failing.into_iter().take(BY_HOUR) {
            let days = suggestion.evidence.days.iter();
            let keys: Vec<_> = days.map(|day| key::run_day(self.tenant, *day, &suggestion.scenario_id)).collect();
            let mut hours: BTreeMap<u8, u64> = BTreeMap::new();
            for day in table.find_all(&keys).await? {
                for hour in 0..=24 {
                    *hours.entry(hour).or_default() += day.tally_of(hour).failed;
                }
            }
            let mut hours: Vec<_> = hours.into_iter().filter(|(_, failed)| *failed > 0).collect();
            hours.sort_by_key(|(hour, failed)| (std::cmp::Reverse(*failed), *hour));
            let worst = hours.into_iter().take(HOURS);
            suggestion.evidence.hours = worst.map(|(hour, error_count)| HourView { hour, error_count }).collect();
        }
        Ok(())
    }
}

fn after(date: Date) -> Date {
    date.saturating_add(1.day())
}

fn take(told: &mut BTreeMap<(Owner, String), Told>, sheet: &Sheet) {
    for (subject, cell) in sheet.cells.iter().filter(|(subject, _)| subject.by_id) {
        let one = told
            .entry((sheet.owner, subject.scenario.clone()))
            .or_insert_with(|| empty(sheet.owner, &subject.scenario));
        let day = one.days.entry(sheet.date).or_default();
        day.runs += cell.succeeded + cell.warned + cell.failed;
        day.failed += cell.failed;
        day.empty += cell.empty;
        day.operations += cell.operations;
        day.centicredits += cell.centicredits.unwrap_or_default();
        if let Some(stated) = &cell.stated {
            one.stated_name = Some(stated.name.clone());
            one.stated_limit = stated.limit;
        }
    }
}

fn empty(owner: Owner, id: &str) -> Told {
    let id = id.to_owned();
    Told { id, owner, known: None, stated_name: None, stated_limit: None, days: BTreeMap::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::rules;

    #[test]
    fn very_many_scenarios_are_judged_in_one_go() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let range = (Date::constant(2026, 10, 23), Date::constant(2026, 11, 21));
        let tenant = TenantId::new();
        // Each second one is near its limit, each fourth idles, and each fourth never runs.
        let told = |n: u64| {
            let operations = [95, 1, 95, 0][n as usize % 4];
            let day = Day { operations, ..Day::default() };
            let days = (1..=30).filter(|_| operations > 0).map(|n: i64| (range.0 + (n - 1).days(), day)).collect();
            let mut known = Scenario::heard_of(tenant, n.to_string(), format!("Scenario {n}"), now - 9_999.hours());
            known.daily_limit = Some(100);
            known.told = Some(shared::scenario::Told {
                status: shared::usage::ScenarioStatus::Active,
                team: None,
                scheduling: None,
                interval_s: None,
                incomplete: None,
                gone_since: None,
                at: now,
            });
            Told { known: Some(known), days, ..empty(Owner::Unmapped, &n.to_string()) }
        };
        let scenarios = (0..20_000).map(told).collect();
        let ledger = Ledger { tenant, rates: Vec::new().into(), range, now, scenarios };

        let begun = std::time::Instant::now();
        let all = rules::all(&ledger);

        let of = |kind| all.iter().filter(|one| one.kind == kind).count();
        assert_eq!((of(Kind::LimitIsNear), of(Kind::NeverRuns)), (10_000, 5_000));
        // Each beside each other takes minutes.
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    }
}
