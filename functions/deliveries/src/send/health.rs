//! What an attempt says of its endpoint: counted, and one notice at each change of state.

use jiff::{SignedDuration, Timestamp};
use shared::{
    Error, Result,
    delivery::{self, Attempt, Delivery, Verdict},
    endpoint::{
        Endpoint,
        State::{self, Active, Degraded, Disabled, Held},
    },
    hour::{self, Times},
    key,
};

use super::{Deps, attempt::told};
use crate::turn;

/// A degraded endpoint has to do well for so long: one that fails now and then does not change its state all the time.
const STEADY: SignedDuration = SignedDuration::from_mins(1);

/// Adds the attempt to the hour that it was made in: with one write, whatever is counted. One of a delivery that a person
/// has started again is counted apart.
pub async fn count(deps: &Deps, delivery: &Delivery, attempt: &Attempt, state: delivery::State) -> Result<()> {
    let change = deps
        .table
        .change(key::hour(delivery.tenant, delivery.endpoint, attempt.at))
        .or_new()
        .set("tenant", delivery.tenant)
        .set("endpoint", delivery.endpoint)
        .set("hour", attempt.at)
        .expires(attempt.at + hour::KEEP);
    if delivery.replay {
        return change.add("replays", 1).write().await.map(drop);
    }
    let change = change.add("took_ms", attempt.took_ms).add(&Times::field(attempt.took_ms), 1);
    let change = match attempt.verdict {
        Verdict::Delivered => change.add("succeeded", 1).set("last_success_at", attempt.at),
        _ => change.add("failed", 1),
    };
    let change = match state {
        delivery::State::Delivered | delivery::State::Failed => change.add("settled", 1).add("tries", attempt.n),
        _ => change,
    };
    change.write().await.map(drop)
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
        Held if turn::is_held_for_receiver(endpoint) => Ok(()),
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
    let turned = turn::to(&deps.table, &deps.queue, endpoint, state, reason, now).await;
    deps.forget(endpoint.id);
    turned
}
