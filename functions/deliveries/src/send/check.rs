//! Looking after an endpoint: a probe of a held one, and what waits for one that is open again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::{
    Result,
    delivery::{Delivery, GRACE, Job, State, Trigger, Verdict},
    endpoint::{self, Endpoint, next_probe},
    id::{DeliveryId, EndpointId, TenantId},
    key,
};

use super::{Deps, attempt, health};

/// How many waiting deliveries one message queues.
const PAGE: u16 = 50;
/// Probes take turns among so many of what waits.
const CANDIDATES: u16 = 20;
/// One message each, so many a second: what Make.com takes in the long run.
const FREED_A_SECOND: usize = 15;
/// For so long after an endpoint was opened, a function may still believe it closed and park something.
const SETTLED: SignedDuration = SignedDuration::from_secs(60);

/// Probes a held endpoint; queues what waits for an open one.
pub async fn endpoint(deps: &Deps, tenant: TenantId, id: EndpointId, now: Timestamp) -> Result<()> {
    let Some(endpoint) = deps.table.find_now(key::endpoint(tenant, id)).await? else {
        return Ok(());
    };
    match endpoint.state {
        endpoint::State::Held => probe(deps, &endpoint, now).await,
        endpoint::State::Active | endpoint::State::Degraded => drain(deps, &endpoint, now).await,
        endpoint::State::Disabled => Ok(()),
    }
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
        .when("probes", endpoint.probes)
        .send()
        .await?;
    Ok(())
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

/// Oldest first, a page at a time.
async fn drain(deps: &Deps, endpoint: &Endpoint, now: Timestamp) -> Result<()> {
    let waiting = deps.table.list_index(&key::all_parked(endpoint.tenant, endpoint.id), PAGE).await?;
    for (n, id) in waiting.iter().filter_map(|listed| listed.id::<DeliveryId>()).enumerate() {
        let freed = deps
            .table
            .change(key::delivery(endpoint.tenant, id))
            .set("state", State::Pending)
            // It waited through no fault of its own: its schedule begins anew.
            .set("step", 0)
            .set("due_at", now)
            .index(Some(key::due(id.as_bytes(), now + GRACE)))
            .when("state", State::Parked)
            .send()
            .await?;
        if let Some(delivery) = freed {
            deps.queue.send(&delivery.job(), Duration::from_secs((n / FREED_A_SECOND) as u64)).await?;
        }
    }
    if waiting.len() == usize::from(PAGE) {
        let again = Job::Check { tenant: endpoint.tenant, endpoint: endpoint.id };
        return deps.queue.send(&again, Duration::from_secs((usize::from(PAGE) / FREED_A_SECOND) as u64 + 1)).await;
    }
    let Some(opened) = endpoint.opened_at else { return Ok(()) };
    let change = deps
        .table
        .change(key::endpoint(endpoint.tenant, endpoint.id))
        .when("state", endpoint.state)
        .when("opened_at", opened);
    let change = if now.duration_since(opened) >= SETTLED {
        change.remove("check_at").index(None)
    } else {
        let next = now + SETTLED;
        change.set("check_at", next).index(Some(key::due(endpoint.id.as_bytes(), next)))
    };
    change.send().await?;
    Ok(())
}
