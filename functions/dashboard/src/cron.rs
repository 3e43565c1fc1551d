//! `GET /api/cron/aggregate-metrics`: the aggregation of the schedules, by hand or from an outside cron.

use std::time::Duration;

use jiff::SignedDuration;
use secrecy::ExposeSecret;
use serde::Serialize;
use shared::{
    Error, Result,
    http::{Call, Reply},
    secrets::Vault,
    table::Table,
};
use subtle::ConstantTimeEq;

use crate::aggregate::{self, Period, Terms};

/// A lease that is a little longer than the function may run; and as long as it can wait for a schedule to finish, and
/// then work.
const TERMS: Terms = Terms {
    lease: SignedDuration::from_secs(35),
    patience: Duration::from_secs(12),
    budget: Duration::from_secs(17),
    share: Duration::from_secs(9),
};

/// What it needs.
pub struct Deps {
    /// Holds the cron secret.
    pub vault: Vault,
    /// Everything else.
    pub table: Table,
}

/// What was done.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = MetricsAggregated)]
struct Done {
    /// Always true.
    success: bool,
    /// How far was folded.
    #[schema(value_type = Period)]
    r#type: &'static str,
    /// When it began.
    #[schema(format = DateTime)]
    timestamp: String,
    /// The same in words.
    message: String,
}

/// Folds what has changed into hours (`hourly`), days as well (`daily`), and weeks as well (`weekly`), for all tenants.
///
/// For a cron outside: send the cron secret as a bearer token. Calling it twice changes nothing. While a schedule is
/// at the same work, the call waits for it, and answers 503 with `Retry-After` where that takes too long, as it does where
/// there is more to fold than one call may: the next goes on. A tenant whose own rows cannot be folded is left out, which a
/// notice tells its owner.
#[utoipa::path(
    get,
    path = "/api/cron/aggregate-metrics",
    operation_id = "metrics_aggregate",
    tag = "dashboard",
    security(("cron_secret" = [])),
    params(("type" = Period, Query, description = "How far to fold")),
    responses((status = 200, description = "Everything that was accepted before is folded", body = Done))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    admit(&deps.vault, &call).await?;
    let period = period(&call)?;

    aggregate::all(&deps.table, period, call.now, TERMS).await?.complete()?;

    Ok(Reply::plain(Done {
        success: true,
        r#type: period.word(),
        timestamp: call.now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        message: format!("{} metrics aggregation completed successfully", period.word()),
    }))
}

/// Fails closed: without a secret of ours nobody's is right.
async fn admit(vault: &Vault, call: &Call) -> Result<()> {
    let ours = vault.platform().await?.cron_secret.clone();
    let ours = ours.as_ref().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty());
    match (ours, call.bearer()) {
        (Some(ours), Some(theirs)) if bool::from(ours.as_bytes().ct_eq(theirs.as_bytes())) => Ok(()),
        _ => Err(Error::Unauthenticated("send the cron secret as a bearer token")),
    }
}

fn period(call: &Call) -> Result<Period> {
    let mut parameters = call.parameters();
    let period = parameters.parsed("type");
    if period.is_none() && parameters.is_faultless() {
        parameters.fault("type", "is missing: one of hourly, daily, weekly");
    }
    parameters.build(|| period)
}
