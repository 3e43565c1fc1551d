//! EventBridge schedules: hourly, daily and weekly aggregation of every tenant.
//!
//! Each does what the one before does and goes one step further. One run at a time works on a tenant: it holds a lease
//! that outlives the longest run, so a schedule that fires twice does nothing twice, and a run that was killed is
//! taken up by the next.
//!
//! No tenant keeps the others from their turn: a turn has an end, whoever had none for the longest begins the next run,
//! and rows that cannot be folded fail the turn of their tenant, not the run.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shared::{
    Error, Result,
    id::TenantId,
    key, notice,
    snapshot::Progress,
    table::{Listed, Table},
    tenant,
};
use tokio::time::{Instant, timeout};

use crate::{fold::Fold, together::together};

/// How many tenants are listed at a time.
const PAGE: u16 = 100;
/// No turn begins after this: the last one ends before the function has to.
const BUDGET: Duration = Duration::from_secs(220);
const SHARE: Duration = Duration::from_secs(60);
/// A little longer than the function may run.
const LEASE: SignedDuration = SignedDuration::from_secs(330);

/// How far to fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// Hours, and the running totals behind them.
    Hourly,
    /// Days as well.
    Daily,
    /// Weeks as well.
    Weekly,
}

impl Period {
    /// Its word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }
}

impl std::str::FromStr for Period {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, &'static str> {
        [Self::Hourly, Self::Daily, Self::Weekly]
            .into_iter()
            .find(|period| period.word() == word)
            .ok_or("one of hourly, daily, weekly")
    }
}

/// What a schedule says.
#[derive(Deserialize)]
pub struct Due {
    /// How far to fold.
    #[serde(rename = "type")]
    pub period: Period,
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Tenants that were folded.
    pub tenants: u32,
    /// Tenants that somebody else is folding at this moment.
    pub busy: u32,
    /// Tenants that have more to fold than fits into a turn; the next goes on.
    pub unfinished: u32,
    /// Tenants with rows that cannot be folded.
    pub failed: u32,
    /// Tenants that had no turn, for the run had to end. They begin the next.
    pub left: u32,
}

/// How a run treats what others are at.
#[derive(Clone, Copy)]
pub struct Terms {
    /// How long nobody else may fold the same tenant.
    pub lease: SignedDuration,
    /// How long to wait, in all, for others to finish.
    pub patience: Duration,
    /// After so long no turn begins.
    pub budget: Duration,
    /// The longest turn of one tenant.
    pub share: Duration,
}

/// What became of a tenant's turn.
enum Turn {
    Done,
    Busy,
    Unfinished,
}

/// Folds every tenant. An hourly run leaves to the next one what somebody else is at; the others, which are rare, wait
/// for a while and then fail, so that they are tried again.
pub async fn handle(table: &Table, due: Due) -> Result<Told> {
    let patience = match due.period {
        Period::Hourly => Duration::ZERO,
        Period::Daily | Period::Weekly => Duration::from_secs(60),
    };
    let terms = Terms { lease: LEASE, patience, budget: BUDGET, share: SHARE };
    let told = all(table, due.period, Timestamp::now(), terms).await?;
    match due.period {
        Period::Hourly => Ok(told),
        Period::Daily | Period::Weekly => told.complete(),
    }
}

impl Told {
    /// Fails where a tenant had no turn, so that it is tried again.
    pub fn complete(self) -> Result<Self> {
        match self {
            Self { busy: 1.., .. } => Err(Error::unavailable("aggregation", "another run is still at work")),
            Self { left: 1.., .. } => Err(Error::unavailable("aggregation", "not every tenant had its turn yet")),
            told => Ok(told),
        }
    }
}

/// Folds every tenant. One that fails does not keep the others; bad weather fails the run in the end, so that it is
/// tried again.
pub async fn all(table: &Table, period: Period, now: Timestamp, terms: Terms) -> Result<Told> {
    let begun = Instant::now();
    let mut told = Told::default();
    let mut failure = None;
    for (nth, tenant) in queue(table).await?.into_iter().enumerate() {
        if nth > 0 && begun.elapsed() >= terms.budget {
            told.left += 1;
            continue;
        }
        let turn = loop {
            match turn(table, tenant, period, now + begun.elapsed(), terms.lease, terms.share).await {
                Ok(Turn::Busy) if begun.elapsed() < terms.patience => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                turn => break turn,
            }
        };
        match turn {
            Ok(Turn::Done) => told.tenants += 1,
            Ok(Turn::Busy) => told.busy += 1,
            Ok(Turn::Unfinished) => {
                tracing::error!(tenant.id = %tenant, "a tenant has more to aggregate than fits into its turn");
                told.unfinished += 1;
            }
            Err(error) => {
                tracing::error!(tenant.id = %tenant, error = ?error, "a tenant was not aggregated: {error}");
                if error.is_transient() {
                    failure = Some(error);
                } else {
                    told.failed += 1;
                }
            }
        }
    }
    match failure {
        None => Ok(told),
        Some(cause) => Err(Error::unavailable("aggregation", cause)),
    }
}

/// Every tenant, first the one whose last turn began the longest ago: a run that had to end is taken up where it did,
/// and a tenant that killed one comes last in the next.
async fn queue(table: &Table) -> Result<Vec<TenantId>> {
    let mut all: Vec<(i64, TenantId)> = Vec::new();
    let mut page = Vec::new();
    loop {
        page = table.list_index_after(&key::all_tenants(), page.last(), PAGE).await?;
        let turns = page.iter().filter_map(Listed::tenant).map(async |tenant| {
            match table.find(key::progress(tenant)).await {
                Ok(progress) => Ok((progress.map_or(0, |progress| progress.begun), tenant)),
                Err(error) if error.is_transient() => Err(error),
                // It fails again in its turn, and at once.
                Err(_) => Ok((0, tenant)),
            }
        });
        all.extend(together(turns.collect()).await?);
        if page.len() < usize::from(PAGE) {
            break;
        }
    }
    all.sort_unstable();
    Ok(all.into_iter().map(|(_, tenant)| tenant).collect())
}

/// Folds one tenant, however long it takes, unless somebody else is at it.
pub async fn one(
    table: &Table,
    tenant: TenantId,
    period: Period,
    now: Timestamp,
    lease: SignedDuration,
) -> Result<bool> {
    Ok(!matches!(turn(table, tenant, period, now, lease, Duration::MAX).await?, Turn::Busy))
}

async fn turn(
    table: &Table,
    tenant: TenantId,
    period: Period,
    now: Timestamp,
    lease: SignedDuration,
    share: Duration,
) -> Result<Turn> {
    let zone = tenant::zone(table, tenant).await?;
    let until = (now + lease).as_millisecond();
    let taken: Option<Progress> = table
        .change(key::progress(tenant))
        .set("tenant", tenant)
        .set("time_zone", &zone)
        .set("busy_until", until)
        .set("begun", now.as_millisecond())
        .or_new()
        .when_at_most_or_missing("busy_until", now.as_millisecond())
        .send()
        .await?;
    let Some(taken) = taken else { return Ok(Turn::Busy) };

    let outcome = fold(&Fold::new(table, tenant, zone, now), period, share).await;
    let failing = match &outcome {
        Ok(_) => false,
        Err(error) => taken.failing || !error.is_transient(),
    };
    let release =
        table.change(key::progress(tenant)).set("busy_until", 0).set("failing", failing).when("busy_until", until);
    let release = if matches!(outcome, Ok(Turn::Done)) { release.set("as_of", now) } else { release };
    release.send().await?;
    if failing && !taken.failing {
        let detail = "the figures of the dashboard stand still: something stored of this tenant cannot be folded";
        notice::give(table, tenant, "aggregation_failed", tenant.to_string(), detail.into(), now).await?;
    }
    outcome
}

/// Folds what has changed. Half of the time is for the tracks, so that however many there are, hours get theirs.
async fn fold(fold: &Fold, period: Period, share: Duration) -> Result<Turn> {
    let tracks = within(share / 2, fold.tracks()).await?;
    let rest = within(share / 2, async {
        fold.hours().await?;
        if period >= Period::Daily {
            fold.days().await?;
        }
        if period >= Period::Weekly {
            fold.weeks().await?;
        }
        Ok(())
    })
    .await?;
    Ok(if tracks && rest { Turn::Done } else { Turn::Unfinished })
}

/// Whether it was done in time. What is dropped is as good as killed, and may be.
async fn within(time: Duration, work: impl Future<Output = Result<()>>) -> Result<bool> {
    match timeout(time, work).await {
        Ok(done) => done.map(|()| true),
        Err(_) => Ok(false),
    }
}
