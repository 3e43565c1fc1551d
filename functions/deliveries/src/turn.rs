//! An endpoint changes its state or its pace: conditionally, so that of several who see the same one does it, and said
//! once.
//!
//! Two kinds of caller change it. Deliveries do by how they fare (`to`). Whoever watches a receiver from outside does by
//! what the receiver says of itself, by [`hold_for_receiver`], [`open_after_receiver`] and [`set_pace`], and gives the
//! notice, which names the cause. These may be called again and again with what is the case; only a change writes
//! anything.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::{
    Result,
    delivery::Job,
    endpoint::{
        Endpoint, Holder,
        State::{self, Active, Degraded, Disabled, Held},
    },
    key,
    notice::{self, Notice},
    queue::Queue,
    table::{Change, Table},
};

/// How soon an endpoint is looked after that was held or opened, whatever is lost meanwhile.
const SOON: SignedDuration = SignedDuration::from_mins(1);

/// The receiver would take what it is sent and do nothing with it: what is due is parked, and no probe is sent, until
/// [`open_after_receiver`]. Whether that is new.
///
/// `endpoint` is as it was read a moment ago. One that fails on its own, held for that, is held for this from now on. One
/// that a person or a 410 has closed stays closed.
pub async fn hold_for_receiver(table: &Table, endpoint: &Endpoint, reason: &str) -> Result<bool> {
    if endpoint.state == Disabled || is_held_for_receiver(endpoint) {
        return Ok(false);
    }
    let change = change(table, endpoint, Held, reason).set("held_by", Holder::Receiver).remove("check_at");
    change.index(None).write().await
}

/// The receiver is at work again: what waited is sent, oldest first, at the endpoint's pace. Whether that is new.
///
/// Only what [`hold_for_receiver`] has held is opened.
pub async fn open_after_receiver(
    table: &Table,
    queue: &Queue,
    endpoint: &Endpoint,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    if !is_held_for_receiver(endpoint) {
        return Ok(false);
    }
    let change = looked_after(change(table, endpoint, Active, reason), endpoint, now).set("opened_at", now);
    let opened = change.write().await?;
    if opened {
        queue.send(&check(endpoint), Duration::ZERO).await?;
    }
    Ok(opened)
}

/// From now on the endpoint is sent so many percent of its full pace, 1 to 100. Whether that is new.
pub async fn set_pace(table: &Table, endpoint: &Endpoint, percent: u8) -> Result<bool> {
    let percent = percent.clamp(1, 100);
    if endpoint.pace == percent {
        return Ok(false);
    }
    let change = table
        .change(key::endpoint(endpoint.tenant, endpoint.id))
        .set("pace", percent)
        .when_there()
        .when_or_missing("pace", endpoint.pace);
    change.write().await
}

/// Whether its receiver holds it.
pub fn is_held_for_receiver(endpoint: &Endpoint) -> bool {
    endpoint.state == Held && endpoint.held_by == Holder::Receiver
}

/// Puts an endpoint into another state for how it fares, and says so. `false` where somebody else has changed it
/// meanwhile.
pub(crate) async fn to(
    table: &Table,
    queue: &Queue,
    endpoint: &Endpoint,
    state: State,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    let opened = state == Active && endpoint.state.parks();
    let change = change(table, endpoint, state, reason);
    let change = match state {
        Held => looked_after(change, endpoint, now),
        Active if opened => looked_after(change, endpoint, now).set("opened_at", now),
        Active | Degraded => change,
        Disabled => change.remove("check_at").index(None),
    };
    if !change.write().await? {
        return Ok(false);
    }
    if opened {
        queue.send(&check(endpoint), Duration::ZERO).await?;
    }
    let Notice { tenant, name, subject, detail, at, .. } = notice(endpoint, state, reason, now);
    notice::give(table, tenant, &name, subject, detail, at).await?;
    Ok(true)
}

/// What every change of state writes. A held endpoint is only changed for those who hold it: a probe that was under way
/// when the receiver was switched off does not open it.
fn change<'t>(table: &'t Table, endpoint: &Endpoint, state: State, reason: &str) -> Change<'t, Endpoint> {
    let change = table
        .change(key::endpoint(endpoint.tenant, endpoint.id))
        .set("state", state)
        .set("reason", reason)
        .when("state", endpoint.state);
    let change = match endpoint.state {
        Held => change.when_or_missing("held_by", endpoint.held_by),
        Active | Degraded | Disabled => change,
    };
    match state {
        Active => change.set("failures", 0).remove("failing_since").set("probes", 0),
        Held => change.set("probes", 0),
        Degraded | Disabled => change,
    }
}

/// It stands in the due-time index: a probe, or a look for what still waits.
fn looked_after<'t>(change: Change<'t, Endpoint>, endpoint: &Endpoint, now: Timestamp) -> Change<'t, Endpoint> {
    let soon = now + SOON;
    change.set("held_by", Holder::Failures).set("check_at", soon).index(Some(key::due(endpoint.id.as_bytes(), soon)))
}

fn check(endpoint: &Endpoint) -> Job {
    Job::Check { tenant: endpoint.tenant, endpoint: endpoint.id }
}

fn notice(endpoint: &Endpoint, state: State, reason: &str, now: Timestamp) -> Notice {
    let (name, word) = match state {
        Active => ("endpoint_recovered", "works again"),
        Degraded => ("endpoint_degraded", "is degraded"),
        Held => ("endpoint_held", "is held, what is due to it is parked"),
        Disabled => ("endpoint_disabled", "is disabled, what is due to it is parked"),
    };
    let detail = format!("{} {word}: {reason}", endpoint.name);
    Notice::of(endpoint.tenant, name, endpoint.id.to_string(), detail, now)
}
