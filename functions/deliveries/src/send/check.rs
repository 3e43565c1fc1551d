//! Looking after an endpoint: a probe of a held one, and what waits for one that is open again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::{
    Result,
    delivery::{Delivery, GRACE, Job, State, Trigger, Verdict},
    endpoint::{self, Endpoint, next_probe},
    id::{DeliveryId, EndpointId, TenantId},
    key,
    table::Change,
};

use super::{Deps, attempt, gone, health};
use crate::turn;

/// How many waiting deliveries one message queues.
const PAGE: u16 = 50;
/// Probes take turns among so many of what waits.
const CANDIDATES: u16 = 20;
/// One message each, so many a second at full pace: what Make.com takes in the long run.
const FREED_A_SECOND: f64 = 15.0;
/// A message that comes so much before the end of the page before it is taken for the next one's: clocks differ.
const EARLY: SignedDuration = SignedDuration::from_secs(1);
/// For so long after an endpoint was opened, a function may still believe it closed and park something.
const SETTLED: SignedDuration = SignedDuration::from_secs(60);

/// Probes a held endpoint; queues what waits for an open one.
pub async fn endpoint(deps: &Deps, tenant: TenantId, id: EndpointId, now: Timestamp) -> Result<()> {
    let Some(endpoint) = deps.table.find_now(key::endpoint(tenant, id)).await? else {
        return gone::end(deps, tenant, id, now).await;
    };
    match endpoint.state {
        endpoint::State::Held if turn::is_held_for_receiver(&endpoint) => leave(deps, &endpoint).await,
        endpoint::State::Held => probe(deps, &endpoint, now).await,
        endpoint::State::Active | endpoint::State::Degraded => drain(deps, &endpoint, now).await,
        endpoint::State::Disabled => Ok(()),
    }
}

/// Whoever watches its receiver opens it. Until then nobody looks after it.
async fn leave(deps: &Deps, endpoint: &Endpoint) -> Result<()> {
    let change = deps.table.change(key::endpoint(endpoint.tenant, endpoint.id)).remove("check_at").index(None);
    change.when("state", endpoint::State::Held).when("held_by", endpoint::Holder::Receiver).write().await.map(drop)
}

async fn probe(deps: &Deps, endpoint: &Endpoint, now: Timestamp) -> Result<()> {
    let Some(delivery) = candidate(deps, endpoint).await? else {
        let empty = "nothing waits for it any more";
        return health::turn(deps, endpoint, endpoint::State::Active, empty, now).await.map(drop);
    };
    if attempt::make(deps, &delivery, endpoint, Trigger::Probe, now).await? == Verdict::Delivered {
        return Ok(());
    }
    let next = next_probe(endpoint.probes + 1, now);
    deps.table
        .change(key::endpoint(endpoint.tenant, endpoint.id))
        .set("probes", endpoint.probes + 1)
        .set("check_at", next)
        .index(Some(key::due(endpoint.id.as_bytes(), next)))
        .when("state", endpoint::State::Held)
        .when_or_missing("held_by", endpoint::Holder::Failures)
        .when("probes", endpoint.probes)
        .write()
        .await
        .map(drop)
}

async fn candidate(deps: &Deps, endpoint: &Endpoint) -> Result<Option<Delivery>> {
    let mut waiting = deps.table.list_index(&key::all_parked(endpoint.tenant, endpoint.id), CANDIDATES).await?;
    if !waiting.is_empty() {
        // Each probe takes another of them: one that the receiver will never take must not keep it closed.
        let turn = endpoint.probes as usize % waiting.len();
        waiting.rotate_left(turn);
    }
    for id in waiting.iter().filter_map(|listed| listed.id::<DeliveryId>()) {
        let delivery = deps.table.find_now(key::delivery(endpoint.tenant, id)).await?;
        if let Some(delivery) = delivery.filter(|delivery| delivery.state == State::Parked) {
            return Ok(Some(delivery));
        }
    }
    Ok(None)
}

/// Oldest first, a page at a time, no faster than the endpoint's pace.
async fn drain(deps: &Deps, endpoint: &Endpoint, now: Timestamp) -> Result<()> {
    if endpoint.check_at.is_some_and(|at| at > now + GRACE + EARLY) {
        // A page is under way, and this is not the message of the next one.
        return Ok(());
    }
    let waiting = deps.table.list_index(&key::all_parked(endpoint.tenant, endpoint.id), PAGE).await?;
    let full = waiting.len() == usize::from(PAGE);
    // It goes on where this page ends, in one chain of messages however many there were.
    if full && !go_on(deps, endpoint, now).await? {
        return Ok(());
    }
    for (n, id) in waiting.iter().filter_map(|listed| listed.id::<DeliveryId>()).enumerate() {
        let delay = taken(endpoint, n);
        let due = now + SignedDuration::try_from(delay).unwrap_or_default();
        let freed = deps
            .table
            .change(key::delivery(endpoint.tenant, id))
            .set("state", State::Pending)
            // It waited through no fault of its own: its schedule begins anew.
            .set("step", 0)
            .set("due_at", due)
            .index(Some(key::due(id.as_bytes(), due + GRACE)))
            .when("state", State::Parked)
            .send()
            .await?;
        if let Some(delivery) = freed {
            deps.queue.send(&delivery.job(), delay).await?;
        }
    }
    if full {
        let again = Job::Check { tenant: endpoint.tenant, endpoint: endpoint.id };
        return deps.queue.send(&again, taken(endpoint, waiting.len())).await;
    }
    rest(deps, endpoint, now).await
}

/// How long the endpoint needs for so many.
fn taken(endpoint: &Endpoint, deliveries: usize) -> Duration {
    Duration::from_secs((deliveries as f64 * 100.0 / (FREED_A_SECOND * f64::from(endpoint.pace.max(1)))) as u64)
}

/// Whether this message is the one that goes on. It moves `check_at` to a grace behind the end of the page: until then
/// other messages are too early, and then the sweep brings the endpoint back, should all of them be lost.
async fn go_on(deps: &Deps, endpoint: &Endpoint, now: Timestamp) -> Result<bool> {
    let next = now + SignedDuration::try_from(taken(endpoint, PAGE.into())).unwrap_or_default() + GRACE;
    looked_at(deps, endpoint).set("check_at", next).index(Some(key::due(endpoint.id.as_bytes(), next))).write().await
}

/// Nothing waits any more. For a while a function may still park something; after that nobody looks after a well endpoint.
async fn rest(deps: &Deps, endpoint: &Endpoint, now: Timestamp) -> Result<()> {
    let Some(opened) = endpoint.opened_at else { return Ok(()) };
    let change = looked_at(deps, endpoint).when("opened_at", opened);
    let change = if now.duration_since(opened) >= SETTLED {
        change.remove("check_at").index(None)
    } else {
        let next = now + SETTLED;
        change.set("check_at", next).index(Some(key::due(endpoint.id.as_bytes(), next)))
    };
    change.write().await.map(drop)
}

/// A change of an endpoint that is as it was read, and is to be looked after when it was.
fn looked_at<'d>(deps: &'d Deps, endpoint: &Endpoint) -> Change<'d, Endpoint> {
    let change = deps.table.change(key::endpoint(endpoint.tenant, endpoint.id)).when("state", endpoint.state);
    match endpoint.check_at {
        Some(at) => change.when("check_at", at),
        None => change.when_missing("check_at"),
    }
}
