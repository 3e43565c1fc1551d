//! One tenant's aggregation: tracks into hours, hours into days and running totals, days into weeks.
//!
//! Only what is marked is worked on, always whole, and written only where it differs; a mark goes when everything
//! behind it is written. So any step may be killed and done again, and doing it twice changes nothing. Whoever folds
//! holds the tenant's lease (see [`crate::aggregate`]): there is one writer at a time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, civil::Date};
use shared::{
    Result,
    id::{TenantId, TrackId},
    key,
    snapshot::{
        Cell, Checkpoint, Contribution, Folded, Mark, Metric, Part, Series, Snapshot, Span, Stale, Standing, day_of,
    },
    table::{Page, Table},
    tenant::Zone,
};

use crate::{together::together, track};

/// A mark younger than this stays for the next run: the events that it speaks of may still be on their way into the
/// table. Longer than any request may take.
const SETTLED: SignedDuration = SignedDuration::from_secs(60);
/// How long a message may be without an outcome before it counts as unknown.
const GRACE: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// One run over one tenant.
pub(crate) struct Fold {
    table: Table,
    tenant: TenantId,
    zone: Zone,
    now: Timestamp,
}

impl Fold {
    pub(crate) fn new(table: &Table, tenant: TenantId, zone: Zone, now: Timestamp) -> Self {
        Self { table: table.clone().consistent(), tenant, zone, now }
    }

    /// Works out what each track with new reports amounts to.
    pub(crate) async fn tracks(&self) -> Result<()> {
        let mut page = Page::first(500);
        loop {
            let found = self.table.list(&key::stale_tracks(self.tenant), page.clone()).await?;
            let mut tracks: BTreeMap<TrackId, Vec<Mark>> = BTreeMap::new();
            for mark in found.rows {
                if let Stale::Track(track, _) = mark.stale {
                    tracks.entry(track).or_default().push(mark);
                }
            }
            together(tracks.into_iter().map(|(track, marks)| self.track(track, marks)).collect()).await?;
            match found.more {
                Some(after) => page.after = Some(after),
                None => return Ok(()),
            }
        }
    }

    /// Reads a track from the last checkpoint before what is new.
    async fn track(&self, track: TrackId, marks: Vec<Mark>) -> Result<()> {
        let first = marks.iter().filter_map(|mark| match mark.stale {
            Stale::Track(_, hour) => Some(hour),
            _ => None,
        });
        let Some(first) = first.min() else { return Ok(()) };
        let checkpoints = self.table.list_all(&key::checkpoints(self.tenant, track)).await?;
        let mut known: BTreeMap<Timestamp, Standing> =
            checkpoints.into_iter().map(|checkpoint| (checkpoint.hour, checkpoint.standing)).collect();
        let mut later = known.split_off(&first);
        let since = match later.remove(&first) {
            Some(standing) => Some((first, standing)),
            None => known.pop_last(),
        };
        let again: BTreeSet<Timestamp> = later.keys().copied().collect();
        let (from, since) = since.unzip();

        let reports = self.table.list_all(&key::activities(self.tenant, track, from)).await?;
        let account = track::account(reports, since, &again);

        for (hour, parts) in account.hours {
            self.contribute(track, hour, parts).await?;
        }
        for (hour, standing) in account.checkpoints {
            if later.get(&hour) != Some(&standing) {
                self.table.put(&Checkpoint { tenant: self.tenant, track, hour, standing }).await?;
            }
        }
        for mark in marks {
            if mark.marked_at <= (self.now - SETTLED).as_millisecond() {
                self.table.delete_seen(key::mark(self.tenant, mark.stale), "marked_at", mark.marked_at).await?;
            }
        }
        Ok(())
    }

    async fn contribute(&self, track: TrackId, hour: Timestamp, parts: Vec<Part>) -> Result<()> {
        let was = self.table.find(key::contribution(self.tenant, hour, track)).await?;
        if was.map(|was| was.parts).unwrap_or_default() == parts {
            return Ok(());
        }
        self.mark(Stale::Hour(hour)).await?;
        self.table.put(&Contribution { tenant: self.tenant, hour, track, parts }).await
    }

    /// Folds the hours that have changed, and those whose messages have waited long enough, into their days so far
    /// and the running totals behind them.
    pub(crate) async fn hours(&self) -> Result<()> {
        let ripe = self.table.list_all(&key::ripe_hours(self.tenant, self.now - GRACE - HOUR)).await?;
        let mut marks = self.table.list_all(&key::stale_hours(self.tenant)).await?;
        marks.extend(ripe);
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
            let was = self.table.find(key::folded(self.tenant, date, Some(hour))).await?;
            let mut all: BTreeSet<Series> = was.map(|was| was.series).unwrap_or_default().into_iter().collect();
            let known = all.len();
            all.extend(cells.keys().cloned());
            if all.len() > known {
                self.table
                    .put(&Folded { tenant: self.tenant, date, hour: Some(hour), series: all.iter().cloned().collect() })
                    .await?;
            }
            for series in all {
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
                    part.waits.iter().for_each(|wait| cell.responses.add(*wait));
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

    /// What a day amounts to: its last hour says so.
    async fn whole_day(&self, series: &Series, date: Date) -> Result<Cell> {
        latest(&self.table, &key::hours_of_day(self.tenant, series, date)).await
    }

    /// Folds the days whose hours have changed.
    pub(crate) async fn days(&self) -> Result<()> {
        for mark in self.table.list_all(&key::stale_days(self.tenant)).await? {
            let Stale::Day(date) = mark.stale else { continue };
            let hours = self.table.list_all(&key::folded_hours(self.tenant, date)).await?;
            let series: BTreeSet<Series> = hours.into_iter().flat_map(|hour| hour.series).collect();
            together(series.iter().map(|series| self.day(series, date)).collect()).await?;
            self.table
                .put(&Folded { tenant: self.tenant, date, hour: None, series: series.into_iter().collect() })
                .await?;
            self.mark(Stale::Week(monday(date))).await?;
            self.unmark(mark.stale).await?;
        }
        Ok(())
    }

    async fn day(&self, series: &Series, date: Date) -> Result<()> {
        let day = self.whole_day(series, date).await?;
        self.renew(series, Span::Day(date), day).await
    }

    /// Folds the weeks whose days have changed.
    pub(crate) async fn weeks(&self) -> Result<()> {
        for mark in self.table.list_all(&key::stale_weeks(self.tenant)).await? {
            let Stale::Week(monday) = mark.stale else { continue };
            let mut series = BTreeSet::new();
            for date in week(monday) {
                let day = self.table.find(key::folded(self.tenant, date, None)).await?;
                series.extend(day.map(|day| day.series).unwrap_or_default());
            }
            together(series.iter().map(|series| self.week(series, monday)).collect()).await?;
            self.unmark(mark.stale).await?;
        }
        Ok(())
    }

    async fn week(&self, series: &Series, monday: Date) -> Result<()> {
        let sunday = week(monday).last().unwrap_or(monday);
        let mut whole = Cell::default();
        for day in self.table.list_all(&key::days(self.tenant, series, monday, sunday)).await? {
            whole.merge(&day.cell)?;
        }
        self.renew(series, Span::Week(monday), whole).await
    }

    async fn renew(&self, series: &Series, span: Span, cell: Cell) -> Result<()> {
        let was = self.table.find(key::snapshot(self.tenant, series, span)).await?;
        if was.is_none() && cell.is_empty() {
            return Ok(());
        }
        self.settle(series, span, cell, None, was).await
    }

    /// Writes a snapshot, if it differs from what is there.
    async fn settle(
        &self,
        series: &Series,
        span: Span,
        cell: Cell,
        so_far: Option<Cell>,
        was: Option<Snapshot>,
    ) -> Result<()> {
        if was.as_ref().is_some_and(|was| was.cell == cell && was.so_far == so_far) {
            return Ok(());
        }
        self.table
            .put(&Snapshot {
                tenant: self.tenant,
                series: series.clone(),
                span,
                revision: was.map_or(0, |was| was.revision) + 1,
                cell,
                so_far,
            })
            .await
    }

    async fn mark(&self, stale: Stale) -> Result<()> {
        let mark = Mark { tenant: self.tenant, stale, marked_at: self.now.as_millisecond() };
        self.table.put(&mark).await
    }

    async fn unmark(&self, stale: Stale) -> Result<()> {
        self.table.delete(key::mark(self.tenant, stale)).await
    }
}

/// What all time amounts to at the beginning of a day.
pub(crate) async fn total_before(table: &Table, tenant: TenantId, series: &Series, date: Date) -> Result<Cell> {
    let Ok(eve) = date.yesterday() else { return Ok(Cell::default()) };
    latest(table, &key::totals(tenant, series, Date::ZERO, eve)).await
}

/// What the last snapshot of a range says so far, or nothing at all.
pub(crate) async fn latest(table: &Table, range: &key::Range<Snapshot>) -> Result<Cell> {
    let last = Page { newest_first: true, ..Page::first(1) };
    Ok(table.list(range, last).await?.rows.pop().map(|row| row.so_far.unwrap_or(row.cell)).unwrap_or_default())
}

fn ripened(metric: Metric) -> Metric {
    match metric {
        Metric::WaAwaiting => Metric::WaUnknown,
        Metric::OtherAwaiting => Metric::OtherUnknown,
        metric => metric,
    }
}

fn monday(date: Date) -> Date {
    let back = i64::from(date.weekday().to_monday_zero_offset());
    date.saturating_sub(SignedDuration::from_hours(24 * back))
}

fn week(monday: Date) -> impl Iterator<Item = Date> {
    monday.series(jiff::Span::new().days(1)).take(7)
}
