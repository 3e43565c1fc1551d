//! Days from their hours, and weeks from their days.

use std::collections::BTreeSet;

use jiff::{SignedDuration, civil::Date};
use shared::{
    Result, key,
    snapshot::{Cell, Series, Span, Stale},
};

use super::Fold;
use crate::together::together;

impl Fold {
    /// Folds the days whose hours have changed.
    pub(crate) async fn days(&self) -> Result<()> {
        for mark in self.table.list_all(&key::stale_days(self.tenant)).await? {
            let Stale::Day(date) = mark.stale else { continue };
            let hours = self.table.list_all(&key::folded_hours(self.tenant, date)).await?;
            let series: BTreeSet<Series> = hours.into_iter().flat_map(|hour| hour.series).collect();
            together(series.iter().map(|series| self.day(series, date)).collect()).await?;
            self.list(date, None, series).await?;
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
                let day = self.table.list_all(&key::folded_of(self.tenant, date, None)).await?;
                series.extend(day.into_iter().flat_map(|row| row.series));
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
}

fn monday(date: Date) -> Date {
    let back = i64::from(date.weekday().to_monday_zero_offset());
    date.saturating_sub(SignedDuration::from_hours(24 * back))
}

fn week(monday: Date) -> impl Iterator<Item = Date> {
    monday.series(jiff::Span::new().days(1)).take(7)
}
