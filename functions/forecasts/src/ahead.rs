//! The month's end: what was, and what is to come of it.

use jiff::{ToSpan, civil::Date};
use rust_decimal::{Decimal, RoundingStrategy, prelude::FromPrimitive};
use serde::Serialize;
use shared::{money::Amount, statement::Month};
use utoipa::ToSchema;

use crate::model::{self, Days, PATHS, Paths};

/// A value at the end of the month.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = UsageAhead)]
pub struct Ahead {
    /// What is expected.
    #[schema(value_type = f64, example = 15200.0)]
    value: Amount,
    /// In one of ten months it is less.
    #[schema(value_type = f64, example = 14100.0)]
    low: Amount,
    /// In one of ten months it is more.
    #[schema(value_type = f64, example = 16350.0)]
    high: Amount,
}

/// The days of a month that are to come, today among them.
pub struct Rest {
    /// The month.
    pub month: Month,
    /// Today.
    pub today: Date,
    /// The first day that is not known whole: today, or yesterday.
    pub open: Date,
}

impl Rest {
    /// Of the month that a day lies in.
    pub fn of(today: Date, open: Date) -> Self {
        Self { month: Month::of(today), today, open }
    }

    /// The days that are known.
    pub fn past(&self) -> impl Iterator<Item = Date> {
        self.month.days().take_while(|date| *date < self.open)
    }

    /// The days up to today.
    pub fn so_far(&self) -> impl Iterator<Item = Date> {
        self.month.days().take_while(|date| *date <= self.today)
    }

    /// The days to come, each with how many days it lies after the first that is not known.
    pub fn to_come(&self) -> impl Iterator<Item = (usize, Date)> {
        let days = self.open.series(1.day()).enumerate().take_while(|(_, date)| *date <= self.month.last());
        days.skip_while(|(_, date)| Month::of(*date) != self.month)
    }

    /// What the month comes to, by what days have used and by the series that hold from a day on, the first of them from
    /// today. Nothing where one of them is too short to tell, or none tells of anything; one without anything goes on like
    /// that.
    pub fn ahead(&self, used: impl Fn(Date) -> f64, series: &[(Date, Days)]) -> Option<Totals> {
        let count = self.to_come().last().map_or(0, |(day, _)| day + 1);
        let (mut expected, mut paths): (Vec<f64>, Paths) = (Vec::new(), vec![Vec::new(); PATHS]);
        for (nth, (from, days)) in series.iter().enumerate() {
            let fit = days.fit();
            if fit.is_none() && days.known() > 0 {
                return None;
            }
            let until = series.get(nth + 1).map(|(next, _)| *next);
            let own = fit.as_ref().map(|fit| fit.paths(count));
            let holds = |date: Date| (nth == 0 || date >= *from) && until.is_none_or(|next| date < next);
            for (day, date) in self.to_come().filter(|(_, date)| holds(*date)) {
                // What was used was used, whatever was expected.
                let least = if date <= self.today { used(date) } else { 0.0 };
                expected.push(fit.as_ref().map_or(0.0, |fit| fit.expected(day)).max(least));
                for (nth, path) in paths.iter_mut().enumerate() {
                    path.push(own.as_ref().map_or(0.0, |own| own[nth][day]).max(least));
                }
            }
        }
        let is_known = series.iter().any(|(_, days)| days.known() > 0);
        let so_far = self.past().map(used).sum();
        is_known.then_some(Totals { so_far, expected, paths })
    }
}

/// What a month comes to: what it has come to, and each day to come.
pub struct Totals {
    so_far: f64,
    expected: Vec<f64>,
    paths: Paths,
}

impl Totals {
    /// The month's end, in so many decimals of a unit.
    pub fn shown(&self, decimals: u32, unit: f64) -> Ahead {
        let amount = |value: f64| {
            let exact = Decimal::from_f64(value * unit).unwrap_or_default();
            Amount(exact.round_dp_with_strategy(decimals, RoundingStrategy::MidpointNearestEven))
        };
        let total = |days: &Vec<f64>| self.so_far + days.iter().sum::<f64>();
        let (low, high) = model::interval(self.paths.iter().map(total).collect());
        let value = total(&self.expected);
        Ahead { value: amount(value), low: amount(low.min(value)), high: amount(high.max(value)) }
    }

    /// The day to come on which the sum reaches a limit, from 0: early, as expected, and late.
    pub fn reached(&self, limit: f64) -> [Option<usize>; 3] {
        let reached = |days: &Vec<f64>| {
            let mut sum = self.so_far;
            days.iter().position(|day| {
                sum += day;
                sum >= limit
            })
        };
        // Paths that never reach it come last.
        let mut all: Vec<f64> =
            self.paths.iter().map(|path| reached(path).map_or(f64::INFINITY, |day| day as f64)).collect();
        all.sort_by(f64::total_cmp);
        let at = |share| {
            let day = model::quantile(&all, share);
            (0..self.expected.len()).find(|n| *n as f64 >= day)
        };
        [at(0.1), reached(&self.expected), at(0.9)]
    }
}
