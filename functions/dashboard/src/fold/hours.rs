//! Hours, from what tracks add to them; and with them their day so far, and the running totals behind it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, civil::Date};
use shared::{
    Result, key,
    snapshot::{Cell, Mark, Metric, Series, Snapshot, Span, Stale, day_of},
    table::Page,
};

use super::{Fold, total_before};
use crate::together::together;

/// How long a message may be without an outcome before it counts as unknown.
const GRACE: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// So many hours are folded before their marks go: a run that is stopped keeps what it has done.
const STEP: u16 = 500;

impl Fold {
    /// Folds the hours that have changed, and those whose messages have waited long enough, into their days so far
    /// and the running totals behind them.
    pub(crate) async fn hours(&self) -> Result<()> {
        loop {
            let ripe = key::ripe_hours(self.tenant, self.now - GRACE - HOUR);
            let mut marks = self.table.list(&ripe, Page::first(STEP)).await?.rows;
            marks.extend(self.table.list(&key::stale_hours(self.tenant), Page::first(STEP)).await?.rows);
            if marks.is_empty() {
                return Ok(());
            }
            self.hours_marked(marks).await?;
        }
    }

    async fn hours_marked(&self, marks: Vec<Mark>) -> Result<()> {
        let mut days: BTreeMap<Date, BTreeSet<Timestamp>> = BTreeMap::new();
        for mark in &marks {
            if let Stale::Hour(hour) | Stale::Ripening(hour) = mark.stale {
                days.entry(day_of(&self.zone, hour)).or_default().insert(hour);
            }
        }
        let mut touched: BTreeMap<Series, BTreeSet<Date>> = BTreeMap::new();
        for (date, hours) in &days {
            for series in self.hours_of(*date, hours).await? {
                touched.entry(series).or_default().insert(*date);
            }
        }
        together(touched.iter().map(|(series, dates)| self.totals(series, dates)).collect()).await?;
        for date in days.keys() {
            self.mark(Stale::Day(*date)).await?;
        }
        for mark in marks {
            self.unmark(mark.stale).await?;
        }
        Ok(())
    }

    /// Folds some hours of one day. The series that they touch, or touched before.
    async fn hours_of(&self, date: Date, hours: &BTreeSet<Timestamp>) -> Result<BTreeSet<Series>> {
        let mut fresh: BTreeMap<Series, BTreeMap<Timestamp, Cell>> = BTreeMap::new();
        for &hour in hours {
            let cells = self.cells(hour).await?;
            for series in self.list(date, Some(hour), cells.keys().cloned().collect()).await? {
                let cell = cells.get(&series).cloned().unwrap_or_default();
                fresh.entry(series).or_default().insert(hour, cell);
            }
        }
        together(fresh.iter().map(|(series, hours)| self.day_so_far(series, date, hours)).collect()).await?;
        Ok(fresh.into_keys().collect())
    }

    /// What an hour's contributions are for each series: each is read once.
    async fn cells(&self, hour: Timestamp) -> Result<BTreeMap<Series, Cell>> {
        let is_ripe = hour + HOUR + GRACE <= self.now;
        let mut awaits = false;
        let mut cells: BTreeMap<Series, Cell> = BTreeMap::new();
        let mut page = Page::first(1_000);
        loop {
            let found = self.table.list(&key::contributions(self.tenant, hour), page.clone()).await?;
            for part in found.rows.into_iter().flat_map(|contribution| contribution.parts) {
                for series in part.credit.series() {
                    let cell = cells.entry(series).or_default();
                    for (&metric, &count) in &part.counts {
                        awaits |= matches!(metric, Metric::WaAwaiting | Metric::OtherAwaiting);
                        cell.add(if is_ripe { ripened(metric) } else { metric }, count);
                    }
                    part.waits.iter().for_each(|&(wait, times)| cell.responses.add_many(wait, times));
                }
            }
            match found.more {
                Some(after) => page.after = Some(after),
                None => break,
            }
        }
        if awaits && !is_ripe {
            self.mark(Stale::Ripening(hour)).await?;
        }
        Ok(cells)
    }

    /// Puts fresh hours in place of those of a day, and adds up again what the day amounts to at the end of each.
    async fn day_so_far(&self, series: &Series, date: Date, fresh: &BTreeMap<Timestamp, Cell>) -> Result<()> {
        let mut was = BTreeMap::new();
        let mut hours = BTreeMap::new();
        for row in self.table.list_all(&key::hours_of_day(self.tenant, series, date)).await? {
            if let Span::Hour(_, hour) = row.span {
                hours.insert(hour, row.cell.clone());
                was.insert(hour, row);
            }
        }
        hours.extend(fresh.iter().map(|(hour, cell)| (*hour, cell.clone())));
        let mut so_far = Cell::default();
        for (hour, cell) in hours {
            so_far.merge(&cell)?;
            let old = was.remove(&hour);
            if old.is_some() || !cell.is_empty() {
                self.settle(series, Span::Hour(date, hour), cell, Some(so_far.clone()), old).await?;
            }
        }
        Ok(())
    }

    /// Adds up all time again, from the first of these days on.
    async fn totals(&self, series: &Series, dates: &BTreeSet<Date>) -> Result<()> {
        let Some(&first) = dates.first() else { return Ok(()) };
        let mut so_far = total_before(&self.table, self.tenant, series, first).await?;
        let later = self.table.list_all(&key::totals(self.tenant, series, first, Date::MAX)).await?;
        let mut was: BTreeMap<Date, Snapshot> = later
            .into_iter()
            .filter_map(|row| match row.span {
                Span::AllUntil(date) => Some((date, row)),
                _ => None,
            })
            .collect();
        let all: BTreeSet<Date> = dates.iter().chain(was.keys()).copied().collect();
        for date in all {
            let day = self.whole_day(series, date).await?;
            let old = was.remove(&date);
            so_far.merge(&day)?;
            if old.is_some() || !day.is_empty() {
                self.settle(series, Span::AllUntil(date), so_far.clone(), None, old).await?;
            }
        }
        Ok(())
    }
}

fn ripened(metric: Metric) -> Metric {
    match metric {
        Metric::WaAwaiting => Metric::WaUnknown,
        Metric::OtherAwaiting => Metric::OtherUnknown,
        metric => metric,
    }
}
