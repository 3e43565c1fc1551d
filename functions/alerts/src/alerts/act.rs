//! `POST /api/v1/alerts/{id}/…`: somebody looks at it, wants to hear nothing of it for a while, or has mended it.

use jiff::Timestamp;
use serde::Deserialize;
use shared::{
    Error, Result,
    alert::{Alert, State},
    gate::Role,
    http::{Call, Reply},
    id::AlertId,
    idempotency,
};
use utoipa::ToSchema;

use super::{AlertView, Deps};
use crate::{
    advance::{Change, end},
    tell,
};

/// Nobody is kept from hearing of an alert for longer.
const LONGEST: jiff::SignedDuration = jiff::SignedDuration::from_hours(90 * 24);

/// For how long.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form of what is read field by field")]
#[schema(as = AlertMute)]
pub struct Mute {
    /// Nobody is told until then: within 90 days.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
}

/// Somebody looks at it. Nothing more is told of it but that it is over; and where the next share of a limit is reached: then
/// it is open again.
///
/// For supervisors and above, and people of its client who are that; 409 where it is over.
#[utoipa::path(
    post,
    path = "/api/v1/alerts/{id}/acknowledge",
    operation_id = "alert_acknowledge",
    tag = "alerts",
    params(("id" = AlertId, Path, description = "The alert")),
    responses((status = 200, description = "The alert as it is now", body = AlertView))
)]
pub async fn acknowledge(deps: &Deps, call: Call) -> Result<Reply> {
    act(deps, call, |alert, who, _| Ok((by(alert, State::Acknowledged, None, who), None))).await
}

/// Nobody is told of it until a moment, not even that it is over. Where it goes on then, it is open again: it is told only
/// where nobody was told yet that it opened, or that the next share of a limit was reached; and later that it is over.
///
/// For supervisors and above, and people of its client who are that; 409 where it is over.
#[utoipa::path(
    post,
    path = "/api/v1/alerts/{id}/mute",
    operation_id = "alert_mute",
    tag = "alerts",
    params(("id" = AlertId, Path, description = "The alert")),
    request_body = Mute,
    responses((status = 200, description = "The alert as it is now", body = AlertView))
)]
pub async fn mute(deps: &Deps, call: Call) -> Result<Reply> {
    act(deps, call, |alert, who, call| {
        let mut body = call.fields()?;
        let until: Option<Timestamp> = body.required("until");
        if until.is_some_and(|until| until <= call.now || until > call.now + LONGEST) {
            body.fault("until", "must lie ahead, by 90 days at most");
        }
        let until = body.build(|| until)?;
        Ok((by(alert, State::Muted, Some(until), who), None))
    })
    .await
}

/// Somebody has mended it. Where a later evaluation still finds it, it opens again; that is told 24 hours after the last time
/// at the earliest.
///
/// For supervisors and above, and people of its client who are that; 409 where it is over.
#[utoipa::path(
    post,
    path = "/api/v1/alerts/{id}/resolve",
    operation_id = "alert_resolve",
    tag = "alerts",
    params(("id" = AlertId, Path, description = "The alert")),
    responses((status = 200, description = "The alert as it is now", body = AlertView))
)]
pub async fn resolve(deps: &Deps, call: Call) -> Result<Reply> {
    act(deps, call, |alert, who, call| Ok(end(alert, Some(who), call.now))).await
}

fn by(alert: &Alert, state: State, muted_until: Option<Timestamp>, who: String) -> Alert {
    Alert { state, muted_until, by: Some(who), revision: alert.revision + 1, ..alert.clone() }
}

async fn act(
    deps: &Deps,
    call: Call,
    change: impl FnOnce(&Alert, String, &Call) -> Result<(Alert, Option<Change>)> + Send,
) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Supervisor).await?;
    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || {
        let alert = deps.alert(&call, &person).await?;
        if !alert.is_on() {
            return Err(Error::conflict("it is over"));
        }
        let (next, told) = change(&alert, person.subject.clone(), &call)?;
        match tell::write(&deps.table, Some(&alert), &next, told, call.now).await? {
            true => Ok(Reply::ok(AlertView::from(next))),
            false => Err(Error::conflict("it has just changed: look again")),
        }
    })
    .await
}
