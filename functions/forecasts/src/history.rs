//! The days that a forecast is made of: eight weeks, and the month so far.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan, Zoned, civil::Date};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use shared::{
    Result,
    id::TenantId,
    key,
    money::Costs,
    rate::{Rate, Rates},
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
    /// The first day that is not known whole: today, or yesterday as long as nothing was told since it ended. What comes
    /// once a day, at six in the morning say, has not come before.
    pub open: Date,
    rates: Rates,
    days: BTreeMap<Date, Vec<(Owner, Sums)>>,
}

impl History {
    /// Reads the days of owners: one query for each of them, of 57 small rows.
    pub async fn read(table: &Table, tenant: TenantId, owners: &[Owner], now: &Zoned, rates: Rates) -> Result<Self> {
        let today = now.date();
        let from = today.saturating_sub(BACK.days());
        let reads: Vec<_> = owners
            .iter()
            .map(|owner| async move { table.list_all(&key::day_totals(tenant, *owner, from, today)).await })
            .collect();
        let totals: Vec<Vec<DayTotal>> = stream::iter(reads).buffered(ABREAST).try_collect().await?;
        let mut days: BTreeMap<Date, Vec<(Owner, Sums)>> = BTreeMap::new();
        let mut told_at = None;
        for total in totals.into_iter().flatten() {
            told_at = told_at.max(total.told_at);
            days.entry(total.date).or_default().push((total.owner, total.sums()));
        }
        let began = now.start_of_day().map_or(Timestamp::MIN, |began| began.timestamp());
        let is_told = told_at.is_none_or(|told_at| told_at >= began);
        let open = if is_told { today } else { today.saturating_sub(1.day()) };
        Ok(Self { today, open, rates, days })
    }

    /// What a day came to.
    pub fn sums(&self, date: Date) -> Sums {
        let mut sums = Sums::default();
        self.days.get(&date).into_iter().flatten().for_each(|(_, more)| sums += *more);
        sums
    }

    /// What a day cost at these prices.
    fn costs<'r>(&self, date: Date, price: impl Fn(Owner) -> Option<&'r Rate>) -> Costs {
        let mut costs = Costs::default();
        for (owner, sums) in self.days.get(&date).into_iter().flatten() {
            costs += Costs::of_sums(sums, price(*owner));
        }
        costs
    }

    fn owners(&self) -> BTreeSet<Owner> {
        self.days.values().flatten().map(|(owner, _)| *owner).collect()
    }

    /// The prices that hold on a day.
    fn prices(&self, date: Date) -> BTreeMap<Owner, &Rate> {
        self.owners().into_iter().filter_map(|owner| Some((owner, self.rates.on(owner, date)?))).collect()
    }

    /// What a day cost in some money.
    pub fn cost(&self, date: Date, currency: &str) -> Decimal {
        in_money(&self.costs(date, |owner| self.rates.on(owner, date)), currency)
    }

    /// The days before today by a figure.
    pub fn series(&self, figure: impl Fn(&Sums) -> u64) -> Days {
        self.days_of(|date| figure(&self.sums(date)) as f64)
    }

    /// The same by what they would cost at the prices of a day.
    pub fn priced(&self, currency: &str, prices_of: Date) -> Days {
        let prices = self.prices(prices_of);
        let costs = |date| self.costs(date, |owner| prices.get(&owner).copied());
        self.days_of(|date| in_money(&costs(date), currency).to_f64().unwrap_or_default())
    }

    fn days_of(&self, value: impl Fn(Date) -> f64) -> Days {
        let first = self.today.saturating_sub(BACK.days());
        let days = first.series(1.day()).take_while(|date| *date < self.open);
        let weekday = usize::try_from(first.weekday().to_monday_zero_offset()).unwrap_or_default();
        Days { weekday, values: days.map(value).collect() }
    }

    /// All money that these days cost anything in, and may by the prices of the days to come.
    pub fn currencies(&self, until: Date) -> BTreeSet<String> {
        let was = self.days.keys().flat_map(|date| self.costs(*date, |owner| self.rates.on(owner, *date)).others());
        let changes = self.prices_change(until);
        let will = changes.into_iter().flat_map(|date| self.prices(date).into_values()).map(|rate| &rate.currency);
        let usd = std::iter::once("USD".to_owned());
        usd.chain(was.map(|cost| cost.currency)).chain(will.cloned()).collect()
    }

    /// Today, and the days until another on which some price begins.
    pub fn prices_change(&self, until: Date) -> Vec<Date> {
        let mut change = vec![self.today];
        let mut prices = self.prices(self.today);
        for date in self.today.series(1.day()).skip(1).take_while(|date| *date <= until) {
            let next = self.prices(date);
            if next != prices {
                change.push(date);
                prices = next;
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
