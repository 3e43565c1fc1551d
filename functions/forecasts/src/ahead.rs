//! The month's end: what was, and what is to come of it.

use jiff::civil::Date;
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

/// The days of the month that are to come, today the first of them.
pub struct Rest {
    /// The month.
    pub month: Month,
    /// Today.
    pub today: Date,
}

impl Rest {
    /// Of the month that a day lies in.
    pub fn of(today: Date) -> Self {
        Self { month: Month::of(today), today }
    }

    /// The days that are over.
    pub fn past(&self) -> impl Iterator<Item = Date> {
        self.month.days().take_while(|date| *date < self.today)
    }

    /// The days to come.
    pub fn days(&self) -> impl Iterator<Item = Date> {
        self.month.days().skip_while(|date| *date < self.today)
    }

    /// What the month comes to, by what was and by the series that hold from a day on, the first of them from today. Nothing
    /// where one of them is too short to tell, or none tells of anything; one without anything goes on like that.
    pub fn ahead(&self, so_far: f64, today: f64, series: &[(Date, Days)]) -> Option<Totals> {
        let count = self.days().count();
        let (mut expected, mut paths): (Vec<f64>, Paths) = (Vec::new(), vec![Vec::new(); PATHS]);
        for (nth, (from, days)) in series.iter().enumerate() {
            let fit = days.fit();
            if fit.is_none() && days.known() > 0 {
                return None;
            }
            let until = series.get(nth + 1).map(|(next, _)| *next);
            let own = fit.as_ref().map(|fit| fit.paths(count));
            let holds = |date: &Date| date >= from && until.is_none_or(|next| *date < next);
            for (day, _) in self.days().enumerate().filter(|(_, date)| holds(date)) {
                // Today has used what it has, whatever was expected of it.
                let least = if day == 0 { today } else { 0.0 };
                expected.push(fit.as_ref().map_or(0.0, |fit| fit.expected(day)).max(least));
                for (nth, path) in paths.iter_mut().enumerate() {
                    path.push(own.as_ref().map_or(0.0, |own| own[nth][day]).max(least));
                }
            }
        }
        let is_known = series.iter().any(|(_, days)| days.known() > 0);
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

    /// The day on which the sum reaches a limit, today being 0: early, as expected, and late.
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
