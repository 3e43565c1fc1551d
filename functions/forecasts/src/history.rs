//! The days that a forecast is made of: eight weeks, and the month so far.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{ToSpan, civil::Date};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use shared::{
    Result,
    id::TenantId,
    key,
    money::Costs,
    rate::Rates,
    scenario::Owner,
    sheet::{DayTotal, Sums},
    table::Table,
};

use crate::model::Days;

/// So many days before today are looked at: eight weeks.
pub const BACK: i64 = 56;
/// So many owners are read at once.
const ABREAST: usize = 8;

/// What owners did, by day.
pub struct History {
    /// Today: not over yet.
    pub today: Date,
    rates: Rates,
    days: BTreeMap<Date, Vec<(Owner, Sums)>>,
}

impl History {
    /// Reads the days of owners: one query for each of them, of 88 small rows at most.
    pub async fn read(table: &Table, tenant: TenantId, owners: &[Owner], today: Date, rates: Rates) -> Result<Self> {
        let from = today.saturating_sub(BACK.days());
        let reads: Vec<_> = owners
            .iter()
            .map(|owner| async move { table.list_all(&key::day_totals(tenant, *owner, from, today)).await })
            .collect();
        let totals: Vec<Vec<DayTotal>> = stream::iter(reads).buffered(ABREAST).try_collect().await?;
        let mut days: BTreeMap<Date, Vec<(Owner, Sums)>> = BTreeMap::new();
        for total in totals.into_iter().flatten() {
            days.entry(total.date).or_default().push((total.owner, total.sums()));
        }
        Ok(Self { today, rates, days })
    }

    /// What a day came to.
    pub fn sums(&self, date: Date) -> Sums {
        let mut sums = Sums::default();
        self.days.get(&date).into_iter().flatten().for_each(|(_, more)| sums += *more);
        sums
    }

    /// What a day cost, at the prices that held on another.
    fn costs(&self, date: Date, prices_of: Date) -> Costs {
        let mut costs = Costs::default();
        for (owner, sums) in self.days.get(&date).into_iter().flatten() {
            costs += Costs::of_sums(sums, self.rates.on(*owner, prices_of));
        }
        costs
    }

    /// What a day cost in some money.
    pub fn cost(&self, date: Date, currency: &str) -> Decimal {
        in_money(&self.costs(date, date), currency)
    }

    /// The days before today by a figure.
    pub fn series(&self, figure: impl Fn(&Sums) -> u64) -> Days {
        self.days_of(|date| figure(&self.sums(date)) as f64)
    }

    /// The same by what they would cost at the prices of a day.
    pub fn priced(&self, currency: &str, prices_of: Date) -> Days {
        self.days_of(|date| in_money(&self.costs(date, prices_of), currency).to_f64().unwrap_or_default())
    }

    fn days_of(&self, value: impl Fn(Date) -> f64) -> Days {
        let first = self.today.saturating_sub(BACK.days());
        let days = first.series(1.day()).take_while(|date| *date < self.today);
        let weekday = usize::try_from(first.weekday().to_monday_zero_offset()).unwrap_or_default();
        Days { weekday, values: days.map(value).collect() }
    }

    /// All money that these days cost anything in, and may by the prices of the days to come.
    pub fn currencies(&self, until: Date) -> BTreeSet<String> {
        let mut currencies = BTreeSet::from(["USD".to_owned()]);
        let changes = self.prices_change(until);
        for date in self.days.keys() {
            for prices_of in std::iter::once(date).chain(&changes) {
                currencies.extend(self.costs(*date, *prices_of).others().into_iter().map(|cost| cost.currency));
            }
        }
        currencies
    }

    /// Today, and the days until another on which some price begins.
    pub fn prices_change(&self, until: Date) -> Vec<Date> {
        let owners: BTreeSet<Owner> = self.days.values().flatten().map(|(owner, _)| *owner).collect();
        let mut change = vec![self.today];
        for date in self.today.series(1.day()).skip(1).take_while(|date| *date <= until) {
            let yesterday = date.saturating_sub(1.day());
            if owners.iter().any(|owner| self.rates.on(*owner, date) != self.rates.on(*owner, yesterday)) {
                change.push(date);
            }
        }
        change
    }

    /// Whether any day has what a figure counts.
    pub fn any(&self, is: impl Fn(&Sums) -> bool) -> bool {
        self.days.values().flatten().any(|(_, sums)| is(sums))
    }
}

fn in_money(costs: &Costs, currency: &str) -> Decimal {
    match currency {
        "USD" => costs.usd().0,
        other => costs.others().iter().find(|cost| cost.currency == other).map_or(Decimal::ZERO, |cost| cost.amount.0),
    }
}
