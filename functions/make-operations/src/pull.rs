//! Every minute: goes on with the pulls that are due. A tenant's is due at six in its morning, when its account is given,
//! and when somebody asks for it.
//!
//! A pull that is due stands in the index, those first that wait the longest. Whoever works on one moves it there to the
//! end of its lease: another run passes it, and one that was killed is taken up by the next. A turn ends after its share
//! of time and leaves the rest to the next one; no tenant keeps the others.

pub mod ask;
mod end;
mod list;
mod log;
pub mod show;
mod turn;

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing, Tick},
    egress::Egress,
    id::TenantId,
    key,
    make::{
        Account,
        api::Api,
        pull::{Pull, State},
    },
    metrics,
    secrets::Vault,
    sheet::Unfolded,
    table::{Listed, Table},
    tenant,
};
use tokio::time::timeout;
use tracing::Instrument;

use end::Ended;
use turn::{Ahead, Turn};

/// So many pulls are listed at a time, and so many go on side by side: most of a turn is waiting for its pace.
const PAGE: u16 = 100;
const AT_ONCE: usize = 16;

/// What pulling needs.
pub struct Deps {
    /// The table, consistent: a pull builds on what it has just written.
    pub table: Table,
    /// Opens the tokens.
    pub vault: Vault,
    /// Make's API.
    pub api: Api,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self::new(aws.table()?, aws.vault()?, aws.egress()?))
    }

    /// With what it is given.
    pub fn new(table: Table, vault: Vault, egress: Egress) -> Self {
        Self { api: Api::new(egress, table.clone()), table: table.consistent(), vault }
    }
}

/// How long things may take.
#[derive(Clone, Copy)]
pub struct Terms {
    /// Nobody else works on a pull for so long: longer than a turn can take.
    pub lease: SignedDuration,
    /// After so long no turn begins.
    pub budget: Duration,
    /// After so long a turn takes no further page.
    pub share: Duration,
    /// So long after that it is broken off: longer than a page can take.
    pub spare: Duration,
}

impl Terms {
    const USUAL: Self = Self {
        lease: SignedDuration::from_secs(90),
        budget: Duration::from_secs(60),
        share: Duration::from_secs(45),
        spare: Duration::from_secs(30),
    };
    /// After so many seconds a turn is broken off, wherever it is.
    const LONGEST: u64 = Self::USUAL.share.as_secs() + Self::USUAL.spare.as_secs();
}

// Nobody takes up a pull that somebody is at; and no note of a day is taken back before what it announces is written.
const _: () = assert!(Terms::LONGEST < Terms::USUAL.lease.as_secs().unsigned_abs());
const _: () = assert!(Terms::LONGEST < Unfolded::SETTLED.as_secs().unsigned_abs());

impl Default for Terms {
    fn default() -> Self {
        Self::USUAL
    }
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pulled {
    /// Pulls that are done in full.
    pub done: u32,
    /// Turns after which there is more to read.
    pub unfinished: u32,
    /// Turns after which Make.com is left alone for a while.
    pub waiting: u32,
    /// Turns that did not get on.
    pub failed: u32,
    /// Pulls whose account is gone.
    pub over: u32,
    /// Turns that somebody else had, or that another account has ended.
    pub busy: u32,
    /// Turns that broke off for trouble of our own.
    pub broken: u32,
}

/// Goes on with every pull that is due.
pub async fn handle(deps: &Deps, _: Tick) -> Result<Pulled> {
    all(deps, Timestamp::now(), Terms::default()).await
}

/// The same at a time, and on terms. Trouble of our own fails the run in the end.
pub async fn all(deps: &Deps, now: Timestamp, terms: Terms) -> Result<Pulled> {
    let begun = Instant::now();
    let (mut pulled, mut passed) = (Pulled::default(), BTreeSet::new());
    let mut trouble = None;
    // The first turn has its time whatever the budget is.
    let turned = AtomicBool::new(false);
    let is_over = || turned.swap(true, Ordering::Relaxed) && begun.elapsed() >= terms.budget;
    loop {
        let due = due(&deps.table, now + begun.elapsed(), &passed).await?;
        if due.is_empty() || (turned.load(Ordering::Relaxed) && begun.elapsed() >= terms.budget) {
            break;
        }
        let mut turns = stream::iter(due)
            .map(async |listed: Listed| {
                let tenant = listed.tenant();
                if is_over() {
                    return (tenant, None);
                }
                (tenant, Some(one(deps, &listed, now + begun.elapsed(), terms).await))
            })
            .buffer_unordered(AT_ONCE);
        while let Some((tenant, turn)) = turns.next().await {
            match turn {
                None => {}
                Some(Ok(Ended::Done)) => pulled.done += 1,
                Some(Ok(Ended::Unfinished)) => pulled.unfinished += 1,
                Some(Ok(Ended::Waiting)) => pulled.waiting += 1,
                Some(Ok(Ended::Failed)) => pulled.failed += 1,
                Some(Ok(Ended::Over)) => pulled.over += 1,
                Some(Ok(Ended::Busy)) => {
                    pulled.busy += 1;
                    passed.extend(tenant);
                }
                Some(Err(error)) => {
                    pulled.broken += 1;
                    passed.extend(tenant);
                    trouble = Some(error);
                }
            }
        }
    }
    let Pulled { done, failed, broken, .. } = pulled;
    for (name, n) in [("PullsDone", done), ("PullFailures", failed + broken)] {
        if n > 0 {
            metrics::count(name, n.into());
        }
    }
    match trouble {
        None => Ok(pulled),
        Some(cause) => Err(Error::unavailable("a pull from Make.com", cause)),
    }
}

/// The pulls that are due, without those that were tried in vain.
async fn due(table: &Table, now: Timestamp, passed: &BTreeSet<TenantId>) -> Result<Vec<Listed>> {
    let mut page = Vec::new();
    loop {
        page = table.list_index_after(&key::pulls(now), page.last(), PAGE).await?;
        let is_open = |listed: &&Listed| listed.tenant().is_some_and(|tenant| !passed.contains(&tenant));
        let due: Vec<Listed> = page.iter().filter(is_open).cloned().collect();
        if !due.is_empty() || page.len() < usize::from(PAGE) {
            return Ok(due);
        }
    }
}

/// One turn of one pull, which has an end and keeps its panics to itself.
async fn one(deps: &Deps, listed: &Listed, now: Timestamp, terms: Terms) -> Result<Ended> {
    let Some(tenant) = listed.tenant() else { return Ok(Ended::Busy) };
    let begun = Instant::now();
    let mut pull = None;
    let turn = async {
        let Some(taken) = take(&deps.table, tenant, listed, now, terms).await? else { return Ok(Ended::Busy) };
        turn(deps, pull.insert(taken).clone(), now, begun, terms.share).await
    };
    let turn = timeout(terms.share + terms.spare, turn.instrument(tracing::info_span!("pull", tenant.id = %tenant)));
    let turned = match AssertUnwindSafe(turn).catch_unwind().await {
        Ok(Ok(turned)) => turned,
        Ok(Err(late)) => Err(Error::unavailable("a pull from Make.com", late)),
        Err(_) => Err(Error::internal("a pull panicked", "see the lines before")),
    };
    if let Err(error) = &turned {
        end::broken_off(&deps.table, tenant, pull.as_ref(), error, now + begun.elapsed()).await;
    }
    turned
}

/// Takes a pull, if it is still due and nobody else is at it.
async fn take(table: &Table, tenant: TenantId, listed: &Listed, now: Timestamp, terms: Terms) -> Result<Option<Pull>> {
    let until = now + terms.lease;
    table
        .change(key::make_pull(tenant))
        .set("state", State::Running)
        .set("busy_until", until.as_millisecond())
        .index(Some(key::pulls(until)))
        .when("gsi1sk", &listed.place)
        .when_at_most_or_missing("busy_until", now.as_millisecond())
        .send()
        .await
}

/// One turn of a pull that was taken.
async fn turn(deps: &Deps, pull: Pull, now: Timestamp, begun: Instant, share: Duration) -> Result<Ended> {
    let tenant = pull.tenant;
    let Some(account) = account(&deps.table, tenant).await? else { return over(&deps.table, &pull).await };
    let zone = tenant::zone(&deps.table, tenant).await?;
    let caller = account.caller(&deps.vault.keyring().await?)?;
    let turn = Turn {
        deps,
        place: account.place,
        caller,
        zone,
        pull,
        now,
        begun,
        share,
        known: None,
        is_whole: false,
        ahead: Ahead::default(),
    };
    turn.make().await
}

/// The tenant's account at Make.com, unless it was taken back.
async fn account(table: &Table, tenant: TenantId) -> Result<Option<Account>> {
    Ok(table.find_now(key::make_account(tenant)).await?.filter(|account| account.ended_at.is_none()))
}

/// Without an account there is nothing to pull, until one is given.
async fn over(table: &Table, pull: &Pull) -> Result<Ended> {
    let gone = table.delete_seen(key::make_pull(pull.tenant), "revision", pull.revision).await?;
    Ok(if gone { Ended::Over } else { Ended::Busy })
}
