//! Every five minutes: folds the days of which something was told.
//!
//! One tenant at a time is folded by what was read of it when its turn began, and no turn outlasts what a note waits for:
//! so a note is taken back only by whoever has seen all that was written with it. Runs may overlap, and one that is killed
//! leaves its notes to the next.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, StreamExt, stream};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use shared::{
    Error, Result,
    id::TenantId,
    key, metrics,
    sheet::Unfolded,
    table::{Listed, Table},
};
use tokio::time::{Instant, timeout};

use crate::fold::{self, Folder};

/// Tenants that are listed at a time, and folded side by side.
const PAGE: u16 = 100;
const ABREAST: usize = 4;

/// What the schedule says: nothing.
#[derive(Deserialize)]
pub struct Tick {}

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
}

/// Folds what was noted, of every tenant.
pub async fn handle(table: &Table, _: Tick) -> Result<Refolded> {
    all(table, Timestamp::now(), Terms::default()).await
}

/// The same at a time, and on terms. A tenant that fails does not keep the others; the run fails in the end.
pub async fn all(table: &Table, now: Timestamp, terms: Terms) -> Result<Refolded> {
    let begun = Instant::now();
    let turns: Vec<_> = stream::iter(tenants(table).await?)
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
    match trouble {
        None => Ok(told),
        Some(cause) => {
            metrics::count("UsageFoldsFailed", told.failed as u64);
            Err(Error::unavailable("folding", cause))
        }
    }
}

/// Every tenant, in any order: where a run has no time for all, it is not always the same who wait.
async fn tenants(table: &Table) -> Result<Vec<TenantId>> {
    let mut tenants = Vec::new();
    let mut page: Vec<Listed> = Vec::new();
    loop {
        page = table.list_index_after(&key::all_tenants(), page.last(), PAGE).await?;
        tenants.extend(page.iter().filter_map(Listed::tenant));
        if page.len() < usize::from(PAGE) {
            break;
        }
    }
    tenants.shuffle(&mut rand::rng());
    Ok(tenants)
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
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                tracing::warn!(tenant.id = %tenant, date = %unfolded.date, error = ?error, "a day cannot be folded: {error}");
                trouble = Some(error);
            }
        }
    }
    trouble.map_or(Ok(turn), Err)
}
