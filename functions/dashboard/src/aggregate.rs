//! EventBridge schedules: hourly, daily and weekly aggregation of every tenant.
//!
//! Each does what the one before does and goes one step further. One run at a time works on a tenant: it holds a lease
//! that outlives the longest run, so a schedule that fires twice does nothing twice, and a run that was killed is
//! taken up by the next.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shared::{Error, Result, id::TenantId, key, snapshot::Progress, table::Table, tenant::Zone};
use tokio::time::Instant;

use crate::fold::Fold;

/// How many tenants are listed at a time.
const PAGE: u16 = 100;
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
}

/// How a run treats what others are at.
#[derive(Clone, Copy)]
pub struct Terms {
    /// How long nobody else may fold the same tenant.
    pub lease: SignedDuration,
    /// How long to wait, in all, for others to finish.
    pub patience: Duration,
}

/// Folds every tenant. An hourly run leaves to the next one what somebody else is at; the others, which are rare, wait
/// for a while and then fail, so that they are tried again.
pub async fn handle(table: &Table, due: Due) -> Result<Told> {
    let patience = match due.period {
        Period::Hourly => Duration::ZERO,
        Period::Daily | Period::Weekly => Duration::from_secs(60),
    };
    let terms = Terms { lease: LEASE, patience };
    let told = all(table, due.period, Timestamp::now(), terms).await?;
    if due.period > Period::Hourly && told.busy > 0 {
        return Err(Error::unavailable("aggregation", "another run is still at work"));
    }
    Ok(told)
}

/// Folds every tenant. One that fails does not keep the others; the run fails in the end, so that it is tried again.
pub async fn all(table: &Table, period: Period, now: Timestamp, terms: Terms) -> Result<Told> {
    let begun = Instant::now();
    let mut told = Told::default();
    let mut failure = None;
    let mut page = Vec::new();
    loop {
        page = table.list_index_after(&key::all_tenants(), page.last(), PAGE).await?;
        for tenant in page.iter().filter_map(shared::table::Listed::tenant) {
            loop {
                let at = now + begun.elapsed();
                match one(table, tenant, period, at, terms.lease).await {
                    Ok(true) => told.tenants += 1,
                    Ok(false) if begun.elapsed() < terms.patience => {
                        tokio::time::sleep(Duration::from_millis(300)).await;
                        continue;
                    }
                    Ok(false) => told.busy += 1,
                    Err(error) => {
                        tracing::error!(tenant.id = %tenant, error = ?error, "a tenant was not aggregated: {error}");
                        failure = Some(error);
                    }
                }
                break;
            }
        }
        if page.len() < usize::from(PAGE) {
            break;
        }
    }
    match failure {
        None => Ok(told),
        Some(cause) => Err(Error::unavailable("aggregation", cause)),
    }
}

/// Folds one tenant, unless somebody else is at it.
pub async fn one(
    table: &Table,
    tenant: TenantId,
    period: Period,
    now: Timestamp,
    lease: SignedDuration,
) -> Result<bool> {
    let zone = table.find(key::tenant(tenant)).await?.map_or(Zone::UTC, |tenant| tenant.time_zone);
    let until = (now + lease).as_millisecond();
    let taken: Option<Progress> = table
        .change(key::progress(tenant))
        .set("tenant", tenant)
        .set("time_zone", &zone)
        .set("busy_until", until)
        .or_new()
        .when_at_most_or_missing("busy_until", now.as_millisecond())
        .send()
        .await?;
    if taken.is_none() {
        return Ok(false);
    }

    let outcome = fold(&Fold::new(table, tenant, zone, now), period).await;
    let release = table.change(key::progress(tenant)).set("busy_until", 0).when("busy_until", until);
    let release = if outcome.is_ok() { release.set("as_of", now) } else { release };
    release.send().await?;
    outcome.map(|()| true)
}

async fn fold(fold: &Fold, period: Period) -> Result<()> {
    fold.tracks().await?;
    fold.hours().await?;
    if period >= Period::Daily {
        fold.days().await?;
    }
    if period >= Period::Weekly {
        fold.weeks().await?;
    }
    Ok(())
}
