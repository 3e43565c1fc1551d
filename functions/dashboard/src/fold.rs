//! One tenant's aggregation: tracks into hours, hours into days and running totals, days into weeks.
//!
//! Only what is marked is worked on, always whole, and written only where it differs; a mark goes when everything
//! behind it is written. So any step may be killed and done again, and doing it twice changes nothing. Whoever folds
//! holds the tenant's lease (see [`crate::aggregate`]): there is one writer at a time.

mod days;
mod hours;
mod tracks;

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use shared::{
    Result,
    id::TenantId,
    key,
    snapshot::{Cell, Folded, Mark, Series, Snapshot, Span, Stale},
    table::{Page, Table},
    tenant::Zone,
};

/// So many series are listed in one row: less than a row may hold, whatever they are called.
const LISTED: usize = 1_000;

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

    /// What a day amounts to: its last hour says so.
    async fn whole_day(&self, series: &Series, date: Date) -> Result<Cell> {
        latest(&self.table, &key::hours_of_day(self.tenant, series, date)).await
    }

    /// Notes which series an hour or a day is folded into. All of them, those that it was folded into before included:
    /// rows grow and are added, so that none is lost however it ends.
    async fn list(&self, date: Date, hour: Option<Timestamp>, series: BTreeSet<Series>) -> Result<BTreeSet<Series>> {
        let mut rows = self.table.list_all(&key::folded_of(self.tenant, date, hour)).await?;
        let known: BTreeSet<Series> = rows.iter().flat_map(|row| row.series.iter().cloned()).collect();
        let new: Vec<Series> = series.difference(&known).cloned().collect();
        if !new.is_empty() {
            let (first, mut last) = rows.pop().map_or((0, Vec::new()), |row| (row.nth, row.series));
            last.extend(new);
            for (nth, series) in (first..).zip(last.chunks(LISTED)) {
                let row = Folded { tenant: self.tenant, date, hour, nth, series: series.to_vec() };
                self.table.put(&row).await?;
            }
        }
        Ok(&known | &series)
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

#[cfg(test)]
mod tests {
    use shared::{snapshot::Scope, testing::table};

    use super::*;

    #[tokio::test]
    async fn an_hour_of_thousands_of_agents_is_listed_and_grows() {
        let (table, tenant) = (table().await, TenantId::new());
        let hour: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let fold = Fold::new(&table, tenant, Zone::UTC, hour);
        let date = "2026-11-21".parse().unwrap();
        let series = |some: std::ops::Range<usize>| -> BTreeSet<Series> {
            some.map(|n| Series { scope: Scope::Agent(format!("{n:0>64}")), channel: None }).collect()
        };

        fold.list(date, Some(hour), series(1..1_500)).await.unwrap();
        let all = fold.list(date, Some(hour), series(0..6_000)).await.unwrap();
        let rows = table.list_all(&key::folded_hours(tenant, date)).await.unwrap();
        let listed: Vec<Series> = rows.iter().flat_map(|row| row.series.iter().cloned()).collect();

        assert_eq!(all, series(0..6_000));
        assert_eq!((rows.len(), listed.len()), (6, 6_000), "each is there once");
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), all);
    }
}
