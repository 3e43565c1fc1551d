//! Every two minutes: looks at each tenant's account at Make.com that is due.
//!
//! Of several runs at the same time each account is looked at by one: the look begins by moving the account on in the
//! index of what is due, so whoever is killed leaves it to the run after next. A schedule comes once a minute at best;
//! where a queue is about to be full, the run stays and looks again, every 15 seconds, until the next one has begun.
//!
//! No tenant keeps the others: they are looked at side by side, a look has an end, and what fails is logged. What fails for
//! trouble of our own fails the run, once all looks have been tried.

mod ask;
mod look;
mod note;

use std::{collections::BTreeSet, panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing, Tick},
    egress::Egress,
    key,
    make::{Account, api::Api, pull::Pull},
    metrics,
    queue::Queue,
    secrets::{Keyring, Vault},
    table::{Listed, Table},
};
use tokio::time::{Instant, timeout};

use crate::{rules::INTERVAL, settle::Reach};

/// So many accounts are listed at a time, and so many looked at side by side.
const PAGE: u16 = 100;
const AT_ONCE: usize = 8;
/// No look begins after this, and none takes longer than that: less than the claim on an account lasts.
const BUDGET: Duration = Duration::from_secs(105);
const SHARE: Duration = Duration::from_secs(40);

/// What watching needs.
pub struct Deps {
    table: Table,
    queue: Queue,
    vault: Vault,
    egress: Egress,
    api: Api,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self::new(aws.table()?, aws.queue("DELIVERY_QUEUE_URL")?, aws.vault()?, aws.egress()?))
    }

    /// With what it is given.
    pub fn new(table: Table, queue: Queue, vault: Vault, egress: Egress) -> Self {
        Self { api: Api::new(egress.clone(), table.clone()), table, queue, vault, egress }
    }

    fn reach(&self) -> Reach<'_> {
        Reach { table: &self.table, queue: &self.queue }
    }
}

/// What a run did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Watched {
    /// Looks that Make.com answered.
    pub answered: u32,
    /// Looks that it did not.
    pub unanswered: u32,
    /// Looks that failed on our side.
    pub failed: u32,
}

/// What became of a look.
pub(crate) struct Looked {
    /// What came back.
    pub outcome: Outcome,
    /// When the account is looked at next.
    pub next_at: Timestamp,
}

/// What came back.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    /// Make.com has answered.
    Answered,
    /// It has not, or not to the end.
    Unanswered,
    /// We could not ask.
    Failed,
}

/// A run, which lasts until the next one has begun where a queue is about to be full. Looks that failed on our side fail
/// it in the end.
pub async fn handle(deps: &Deps, _: Tick) -> Result<Watched> {
    let watched = run(deps, Timestamp::now(), BUDGET).await?;
    match watched.failed {
        0 => Ok(watched),
        failed => Err(Error::unavailable(
            "what looks at Make.com need",
            format!("{failed} looks failed: see the lines before"),
        )),
    }
}

/// The same at a given time and for so long; it tells what failed.
pub async fn run(deps: &Deps, now: Timestamp, budget: Duration) -> Result<Watched> {
    let begun = Instant::now();
    let mut watched = Watched::default();
    let mut coming = BTreeSet::new();
    loop {
        let at = now + begun.elapsed();
        let due = deps.table.list_index(&key::watched(at), PAGE).await?;
        let more = due.len() == usize::from(PAGE);
        // Read once for all of them: a source that does not answer takes its time.
        let keyring = deps.vault.keyring().await;
        let keyring =
            keyring.inspect_err(|error| tracing::error!(error = ?error, "the keyring cannot be read: {error}")).ok();
        let keyring = keyring.as_ref();
        let mut moved = false;
        // The first pass has its time whatever the budget is.
        let last = begun + budget.max(SHARE);
        let mut looks = stream::iter(due)
            .map(
                |listed| async move { if Instant::now() < last { one(deps, keyring, listed, at).await } else { None } },
            )
            .buffer_unordered(AT_ONCE);
        while let Some(looked) = looks.next().await {
            moved |= looked.is_some();
            match looked {
                Some(Ok(Looked { outcome, next_at })) => {
                    coming.insert(next_at);
                    *match outcome {
                        Outcome::Answered => &mut watched.answered,
                        Outcome::Unanswered => &mut watched.unanswered,
                        Outcome::Failed => &mut watched.failed,
                    } += 1;
                }
                Some(Err(_)) => watched.failed += 1,
                None => {}
            }
        }
        drop(looks);
        coming = coming.split_off(&(at + SignedDuration::from_nanos(1)));
        let wait = match coming.first() {
            _ if more && moved => Duration::ZERO,
            Some(next) => Duration::try_from(next.duration_since(at)).unwrap_or_default(),
            None => break,
        };
        if begun.elapsed() + wait >= budget {
            break;
        }
        tokio::time::sleep(wait).await;
    }
    let Watched { answered, unanswered, failed } = watched;
    for (name, n) in [("ReceiverLooks", answered), ("ReceiverLooksFailed", unanswered + failed)] {
        if n > 0 {
            metrics::count(name, n.into());
        }
    }
    Ok(watched)
}

/// One look, where nobody else is at it.
async fn one(deps: &Deps, keyring: Option<&Keyring>, listed: Listed, now: Timestamp) -> Option<Result<Looked>> {
    let look = async {
        let Some(account) = claim(&deps.table, &listed, now).await? else { return Ok(None) };
        pull(&deps.table, &account, now).await;
        match timeout(SHARE, look::at(deps, keyring, &account, now)).await {
            Ok(looked) => looked.map(Some),
            Err(late) => Err(Error::unavailable("a look at Make.com", late)),
        }
    };
    let looked = AssertUnwindSafe(look).catch_unwind().await;
    let looked = looked.unwrap_or_else(|_| Err(Error::internal("a look panicked", "see the lines before")));
    looked
        .inspect_err(|error| tracing::error!(entry = ?listed, error = ?error, "an account at Make.com was not looked at: {error}"))
        .transpose()
}

/// Moves an account on in the index, unless it has been moved.
async fn claim(table: &Table, listed: &Listed, now: Timestamp) -> Result<Option<Account>> {
    let Some(tenant) = listed.tenant() else { return Ok(None) };
    let next = now + INTERVAL;
    let account = table.change(key::make_account(tenant)).set("next_at", next).index(Some(key::watched(next)));
    account.when("gsi1sk", &listed.place).send().await
}

/// Makes a pull of what scenarios did due, once, for an account that was given before there were pulls. It does not keep
/// the look; what fails is done by the next one.
async fn pull(table: &Table, account: &Account, now: Timestamp) {
    if account.has_pull || account.ended_at.is_some() {
        return;
    }
    let made = async {
        Pull::for_known_account(table, account.tenant, now).write().await?;
        let change = table.change(key::make_account(account.tenant)).set("has_pull", true);
        change.when("revision", account.revision).write().await
    };
    if let Err(error) = made.await {
        tracing::warn!(tenant.id = %account.tenant, error = ?error, "a pull was not made due: {error}");
    }
}
