//! Every five minutes: folds the days of which something was told.
//!
//! One tenant at a time is folded by what was read of it when its turn began, and no turn outlasts what a note waits for:
//! so a note is taken back only by whoever has seen all that was written with it. Runs may overlap, and one that is killed
//! leaves its notes to the next.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use shared::{Error, Result, id::TenantId, key, metrics, sheet::Unfolded, table::Table, tenant};
use tokio::time::{Instant, timeout};

use crate::{
    fold::{self, Folder},
    ledger,
};

/// Tenants that have their turns side by side.
const ABREAST: usize = 4;
/// Days that are noted by hand: so many at most, and so many at the same time.
const MOST_DAYS: usize = 400;
const NOTES: usize = 16;

/// What the schedule says: nothing. Or, by hand, which days are to be folded again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    again: Option<Again>,
}

/// Days to be folded again, whatever was told of them: what was stored before there were sheets, or folded wrongly.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Whose; everybody's unless given.
    pub tenant: Option<TenantId>,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
}

/// How long things may take, and how large they may be.
#[derive(Clone, Copy)]
pub struct Terms {
    /// After so long no turn begins.
    pub budget: Duration,
    /// After so long a tenant leaves the rest of its days to the next run.
    pub share: Duration,
    /// A turn is broken off after so long: well before a note that was written when it began is settled. With the budget,
    /// less than the function may run.
    pub end: Duration,
    /// A day of more rows than this cannot be folded.
    pub rows: usize,
}

impl Default for Terms {
    fn default() -> Self {
        let [budget, share, end] = [60, 25, 40].map(Duration::from_secs);
        Self { budget, share, end, rows: fold::MOST }
    }
}

/// What a run did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Refolded {
    /// Days that were folded.
    pub days: usize,
    /// Days that had no time: the next run folds them.
    pub left: usize,
    /// Tenants of which something could not be folded.
    pub failed: usize,
    /// Tenants that had no turn.
    pub waiting: usize,
    /// Days that were noted by hand.
    pub noted: usize,
}

/// Folds what was noted, of every tenant; or notes days by hand, which the runs of the schedule fold from then on.
pub async fn handle(table: &Table, order: Order) -> Result<Refolded> {
    match order.again {
        Some(again) => note(table, &again, Timestamp::now()).await,
        None => all(table, Timestamp::now(), Terms::default()).await,
    }
}

/// Notes days that are to be folded again.
pub async fn note(table: &Table, again: &Again, now: Timestamp) -> Result<Refolded> {
    let days: Vec<Date> = again.from.series(1.day()).take_while(|date| *date <= again.to).take(MOST_DAYS + 1).collect();
    if days.len() > MOST_DAYS {
        return Err(Error::invalid("/again/to", "lies more than 400 days behind from: go on in steps"));
    }
    let tenants = match again.tenant {
        Some(tenant) => vec![tenant],
        None => tenant::all(table).await?,
    };
    let notes = tenants.iter().flat_map(|tenant| days.iter().map(|date| ledger::note(table, *tenant, *date, now)));
    let noted = stream::iter(notes.collect::<Vec<_>>()).buffer_unordered(NOTES).try_fold(0, async |n, ()| Ok(n + 1));
    Ok(Refolded { noted: noted.await?, ..Refolded::default() })
}

/// The same at a time, and on terms. A tenant that fails does not keep the others; the run fails in the end.
pub async fn all(table: &Table, now: Timestamp, terms: Terms) -> Result<Refolded> {
    let begun = Instant::now();
    let turns: Vec<_> = stream::iter(tenant::all(table).await?)
        .map(|tenant| async move {
            if begun.elapsed() >= terms.budget {
                return (tenant, None);
            }
            (tenant, Some(one(table, tenant, now + begun.elapsed(), terms).await))
        })
        .buffer_unordered(ABREAST)
        .collect()
        .await;

    let mut told = Refolded::default();
    let mut trouble = None;
    for (tenant, turn) in turns {
        match turn {
            None => told.waiting += 1,
            Some(Ok(Turn { days, left })) => {
                if left > 0 {
                    tracing::warn!(tenant.id = %tenant, left, "days had no time to be folded: the next run goes on");
                }
                told.days += days;
                told.left += left;
            }
            Some(Err(error)) => {
                tracing::warn!(tenant.id = %tenant, error = ?error, "usage was not folded: {error}");
                told.failed += 1;
                trouble = Some(error);
            }
        }
    }
    if told.left + told.waiting > 0 {
        metrics::count("UsageFoldsLeft", (told.left + told.waiting) as u64);
    }
    match trouble {
        None => Ok(told),
        Some(cause) => {
            metrics::count("UsageFoldsFailed", told.failed as u64);
            Err(Error::unavailable("folding", cause))
        }
    }
}

/// What became of a tenant's turn.
#[derive(Default)]
struct Turn {
    days: usize,
    left: usize,
}

/// One turn of a tenant, which has an end and keeps its panics to itself.
async fn one(table: &Table, tenant: TenantId, now: Timestamp, terms: Terms) -> Result<Turn> {
    let turn = timeout(terms.end, turn(table, tenant, now, terms));
    match AssertUnwindSafe(turn).catch_unwind().await {
        Ok(Ok(turn)) => turn,
        Ok(Err(late)) => Err(Error::unavailable("folding", late)),
        Err(_) => Err(Error::internal("a fold panicked", "see the lines before")),
    }
}

/// Folds a tenant's days: today and yesterday first, wherever that is, then the oldest. One that cannot be folded does not
/// keep the others.
async fn turn(table: &Table, tenant: TenantId, now: Timestamp, terms: Terms) -> Result<Turn> {
    let begun = Instant::now();
    let mut noted: Vec<Unfolded> = table.list_all(&key::all_unfolded(tenant)).await?;
    if noted.is_empty() {
        return Ok(Turn::default());
    }
    let recent = now.to_zoned(TimeZone::UTC).date().saturating_sub(2.days());
    noted.sort_by_key(|note| (note.date < recent, note.date));
    let table = table.clone().consistent();
    let folder = Folder::of(&table, tenant).await?.at_most(terms.rows);
    let mut turn = Turn::default();
    let mut trouble = None;
    for (nth, unfolded) in noted.iter().enumerate() {
        if nth > 0 && begun.elapsed() >= terms.share {
            turn.left = noted.len() - nth;
            break;
        }
        match folder.fold(unfolded, now).await {
            Ok(()) => turn.days += 1,
            Err(error) => {
                tracing::warn!(tenant.id = %tenant, date = %unfolded.date, error = ?error, "a day was not folded: {error}");
                let is_transient = error.is_transient();
                trouble = Some(error);
                // The table does not answer: the next run begins again.
                if is_transient {
                    break;
                }
            }
        }
    }
    trouble.map_or(Ok(turn), Err)
}
