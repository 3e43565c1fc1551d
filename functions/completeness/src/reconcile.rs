//! EventBridge schedule, every ten minutes: what the sources have is compared with what came in, and the missing
//! events are made.
//!
//! A source that is due stands in the index, those first that wait the longest; none is looked for in any other way.
//! Whoever works on one moves it there to the end of its lease: a second run passes it, and one that was killed is
//! taken up by the next. One source that fails, or has much to tell, does not keep the others.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    egress::Egress,
    id::TenantId,
    key,
    secrets::Vault,
    source::Source,
    table::{Listed, Table},
    tenant,
};
use tokio::time::timeout;

use crate::run::{Run, Turn};

/// So many sources are listed at a time, and so many compared.
const PAGE: u16 = 100;
const AT_ONCE: usize = 4;

/// What comparing needs.
pub struct Deps {
    /// The table.
    pub table: Table,
    /// Opens the sources' keys.
    pub vault: Vault,
    /// The way to them.
    pub egress: Egress,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { table: aws.table()?, vault: aws.vault()?, egress: aws.egress()? })
    }
}

/// How long things may take.
#[derive(Clone, Copy)]
pub struct Terms {
    /// Nobody else works on a source for so long: a little longer than the function may run.
    pub lease: SignedDuration,
    /// After so long no turn begins.
    pub budget: Duration,
    /// After so long a source leaves the rest to its next turn.
    pub share: Duration,
    /// A turn is broken off so long after its share, and a source that does not answer is given up half-way to there.
    /// With the budget, less than the function may run; the lease outlasts it.
    pub spare: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            lease: SignedDuration::from_secs(330),
            budget: Duration::from_secs(200),
            share: Duration::from_secs(45),
            spare: Duration::from_secs(30),
        }
    }
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Turns after which a source was compared up to a moment ago.
    pub done: u32,
    /// Turns after which there was more to compare.
    pub unfinished: u32,
    /// Turns in which the source could not be read.
    pub failed: u32,
    /// Turns that somebody else had.
    pub busy: u32,
    /// Turns that broke off for trouble of our own.
    pub broken: u32,
    /// Sources that were due and had no turn. They begin the next run.
    pub left: usize,
}

/// Compares every source that is due.
pub async fn handle(deps: &Deps, _beat: Value) -> Result<Told> {
    all(deps, Timestamp::now(), Terms::default()).await
}

/// The same at a time, and on terms. Trouble of our own fails the run in the end.
pub async fn all(deps: &Deps, now: Timestamp, terms: Terms) -> Result<Told> {
    let begun = Instant::now();
    let (mut told, mut passed) = (Told::default(), BTreeSet::new());
    let mut trouble = None;
    loop {
        let due = due(&deps.table, now + begun.elapsed(), &passed).await?;
        if due.is_empty() {
            break;
        }
        if begun.elapsed() >= terms.budget {
            told.left = due.len();
            tracing::warn!(sources.left = told.left, "there is more to compare than fits into a run");
            break;
        }
        let turns: Vec<_> = stream::iter(due)
            .map(|tenant| async move {
                if begun.elapsed() >= terms.budget {
                    return (tenant, None);
                }
                let turn = timeout(terms.share + terms.spare, turn(deps, tenant, now + begun.elapsed(), terms)).await;
                (tenant, Some(turn.unwrap_or_else(|late| Err(Error::unavailable("the comparison of a source", late)))))
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (tenant, turn) in turns {
            match turn {
                None => {}
                Some(Ok(Turn::Done)) => told.done += 1,
                Some(Ok(Turn::Unfinished)) => told.unfinished += 1,
                Some(Ok(Turn::Failed)) => told.failed += 1,
                Some(Ok(Turn::Busy)) => {
                    told.busy += 1;
                    passed.insert(tenant);
                }
                Some(Err(error)) => {
                    tracing::error!(tenant.id = %tenant, error = ?error, "a source was not compared: {error}");
                    told.broken += 1;
                    passed.insert(tenant);
                    trouble = Some(error);
                }
            }
        }
    }
    match trouble {
        None => Ok(told),
        Some(cause) => Err(Error::unavailable("the comparison of a source", cause)),
    }
}

/// The sources that are due, without those that were tried in vain.
async fn due(table: &Table, now: Timestamp, passed: &BTreeSet<TenantId>) -> Result<Vec<TenantId>> {
    let mut page = Vec::new();
    loop {
        page = table.list_index_after(&key::source_due(now), page.last(), PAGE).await?;
        let due: Vec<TenantId> =
            page.iter().filter_map(Listed::tenant).filter(|tenant| !passed.contains(tenant)).collect();
        if !due.is_empty() || page.len() < usize::from(PAGE) {
            return Ok(due);
        }
    }
}

/// One turn of one source, if nobody else is at it.
async fn turn(deps: &Deps, tenant: TenantId, now: Timestamp, terms: Terms) -> Result<Turn> {
    let begun = Instant::now();
    let until = now + terms.lease;
    let taken: Option<Source> = deps
        .table
        .change(key::source(tenant))
        .set("busy_until", until.as_millisecond())
        .index(Some(key::source_due(until)))
        .when_there()
        .when_at_most_or_missing("busy_until", now.as_millisecond())
        .send()
        .await?;
    let Some(source) = taken else { return Ok(Turn::Busy) };
    let zone = tenant::zone(&deps.table, tenant).await?;
    let patience = terms.share + terms.spare / 2;
    Run { deps, source, zone, now, begun, share: terms.share, patience, made: 0 }.make().await
}
