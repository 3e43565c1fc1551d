//! What an attempt says of its endpoint: counted, and one notice at each change of state.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::{
    Error, Result,
    delivery::{Attempt, Job, Verdict},
    endpoint::{
        Endpoint,
        State::{self, Active, Degraded, Disabled, Held},
    },
    key, notice,
};

use super::{Deps, attempt::told};

/// A degraded endpoint has to do well for so long: one that fails now and then does not change its state all the time.
const STEADY: SignedDuration = SignedDuration::from_mins(1);

/// Adds the attempt to the hour that it was made in.
pub async fn count(deps: &Deps, endpoint: &Endpoint, attempt: &Attempt) -> Result<()> {
    let succeeded = attempt.verdict == Verdict::Delivered;
    let change = deps
        .table
        .change(key::hour(endpoint.tenant, endpoint.id, attempt.at))
        .or_new()
        .set("tenant", endpoint.tenant)
        .set("endpoint", endpoint.id)
        .set("hour", attempt.at)
        .add(if succeeded { "succeeded" } else { "failed" }, 1)
        .add("took_ms", attempt.took_ms)
        .expires(attempt.keep_until);
    let change = if succeeded { change.set("last_success_at", attempt.at) } else { change };
    change.send().await?;
    Ok(())
}

/// What the attempt makes of its endpoint.
pub async fn update(deps: &Deps, endpoint: &Endpoint, attempt: &Attempt, now: Timestamp) -> Result<()> {
    match attempt.verdict {
        Verdict::Delivered => recovered(deps, endpoint, now).await,
        // Closed already, before the delivery was parked.
        Verdict::Gone => Ok(()),
        // The pace was too fast; the endpoint is well.
        Verdict::Overloaded if attempt.status == Some(429) => Ok(()),
        Verdict::Retry | Verdict::Overloaded | Verdict::Refused => failed(deps, endpoint, attempt, now).await,
    }
}

/// The receiver is gone for good. Whoever calls this parks something next, so it has to be true first.
pub async fn close(deps: &Deps, endpoint: &Endpoint, now: Timestamp) -> Result<()> {
    const GONE: &str = "the receiver answered 410 Gone: its webhook has no scenario any more";
    let endpoint = deps.table.get(key::endpoint(endpoint.tenant, endpoint.id)).await?;
    if endpoint.state == Disabled || turn(deps, &endpoint, Disabled, GONE, now).await? {
        return Ok(());
    }
    Err(Error::unavailable("endpoint", "its state has just changed"))
}

async fn recovered(deps: &Deps, endpoint: &Endpoint, now: Timestamp) -> Result<()> {
    let steady = endpoint.failing_since.is_none_or(|since| now.duration_since(since) >= STEADY);
    match endpoint.state {
        Active if endpoint.failures == 0 => Ok(()),
        Active => {
            let change = deps.table.change(key::endpoint(endpoint.tenant, endpoint.id));
            change.set("failures", 0).remove("failing_since").when("state", Active).send().await?;
            deps.forget(endpoint.id);
            Ok(())
        }
        Degraded if !steady => Ok(()),
        Degraded | Held | Disabled => turn(deps, endpoint, Active, "deliveries succeed again", now).await.map(drop),
    }
}

async fn failed(deps: &Deps, endpoint: &Endpoint, attempt: &Attempt, now: Timestamp) -> Result<()> {
    let change = deps.table.change(key::endpoint(endpoint.tenant, endpoint.id)).add("failures", 1).when_there();
    let change = match endpoint.failing_since {
        Some(_) => change,
        None => change.set("failing_since", now),
    };
    let next = endpoint.after_failure(now);
    change.send().await?;
    deps.forget(endpoint.id);
    if next == endpoint.state {
        return Ok(());
    }
    let reason = format!("{} failures in a row, the last: {}", endpoint.failures + 1, told(attempt));
    turn(deps, endpoint, next, &reason, now).await.map(drop)
}

/// Puts an endpoint into another state and says so once. `false` where somebody else has changed it meanwhile.
pub async fn turn(deps: &Deps, endpoint: &Endpoint, state: State, reason: &str, now: Timestamp) -> Result<bool> {
    let change = deps
        .table
        .change(key::endpoint(endpoint.tenant, endpoint.id))
        .set("state", state)
        .set("reason", reason)
        .when("state", endpoint.state);
    let soon = now + SignedDuration::from_mins(1);
    let looked_after = Some(key::due(endpoint.id.as_bytes(), soon));
    let opened = state == Active && endpoint.state.parks();
    let change = match state {
        Active => change.set("failures", 0).remove("failing_since").set("probes", 0),
        Held => change.set("probes", 0).set("check_at", soon).index(looked_after.clone()),
        Degraded => change,
        Disabled => change.remove("check_at").index(None),
    };
    let change = if opened { change.set("opened_at", now).set("check_at", soon).index(looked_after) } else { change };
    let turned = change.send().await?.is_some();
    deps.forget(endpoint.id);
    if !turned {
        return Ok(false);
    }
    if opened {
        let job = Job::Check { tenant: endpoint.tenant, endpoint: endpoint.id };
        deps.queue.send(&job, Duration::ZERO).await?;
    }
    let (name, word) = match state {
        Active => ("endpoint_recovered", "works again"),
        Degraded => ("endpoint_degraded", "is degraded"),
        Held => ("endpoint_held", "is held, what is due to it is parked"),
        Disabled => ("endpoint_disabled", "is disabled, what is due to it is parked"),
    };
    let detail = format!("{} {word}: {reason}", endpoint.name);
    notice::give(&deps.table, endpoint.tenant, name, endpoint.id.to_string(), detail, now).await?;
    Ok(true)
}
