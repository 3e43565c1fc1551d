//! Time that passes sooner than it would: what waits for later is due now. Only the moments that rows name are moved;
//! what comes of it, the product does by its own means.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use shared::{
    delivery::{Delivery, State},
    endpoint::{Endpoint, HELD_AFTER, State as EndpointState},
    id::EndpointId,
    key,
};

use crate::{Result, stage::Stage};

/// What is due within this comes by itself.
const SOON: SignedDuration = SignedDuration::from_secs(45);
/// What was due so long ago, while no message waits, has lost its own; the sweep would bring it some minutes later.
const OVERDUE: SignedDuration = SignedDuration::from_secs(75);

/// What was brought forward: how many deliveries, by the attempts they had behind them.
pub type Forward = BTreeMap<u32, usize>;

/// Whether a delivery waits for later, or, where the queue is empty, for the sweep to find that its message is lost.
fn waits(delivery: &Delivery, now: Timestamp, is_empty: bool) -> bool {
    let waits = |due| due > now + SOON || (is_empty && due < now - OVERDUE);
    delivery.state == State::Pending && delivery.due_at.is_some_and(waits)
}

/// Makes what waits for later due now, and what of it was lost found now. The sweep does the rest.
pub async fn bring_forward(stage: &Stage, deliveries: &[Delivery], into: &mut Forward) -> Result<usize> {
    let now = Timestamp::now();
    let is_empty = stage.queue_is_empty().await?;
    let mut moved = 0;
    for delivery in deliveries.iter().filter(|delivery| waits(delivery, now, is_empty)) {
        let change = stage
            .table
            .change(key::delivery(delivery.tenant, delivery.id))
            .set("due_at", now)
            .index(Some(key::due(delivery.id.as_bytes(), now)))
            .when("state", State::Pending)
            .when("attempts", delivery.attempts)
            .when("due_at", delivery.due_at);
        if change.send().await?.is_some() {
            *into.entry(delivery.attempts).or_default() += 1;
            moved += 1;
        }
    }
    Ok(moved)
}

/// Lets held endpoints be probed now.
pub async fn probe_now(stage: &Stage) -> Result<()> {
    let now = Timestamp::now();
    for (_, id) in &stage.endpoints {
        let change = stage
            .table
            .change::<Endpoint>(key::endpoint(stage.tenant, *id))
            .set("check_at", now)
            .index(Some(key::due(id.as_bytes(), now)))
            .when("state", EndpointState::Held);
        change.send().await?;
    }
    Ok(())
}

/// Has the sweep look now. It may be killed like any other; the schedule has it look again.
pub async fn sweep(stage: &Stage) {
    let _ = stage.stack.invoke("delivery-sweep", &json!({})).await;
}

/// Makes an endpoint that has failed often enough have failed for long enough, so that its next failure holds it.
/// Whether that was so.
pub async fn age_trouble(stage: &Stage, id: EndpointId) -> Result<bool> {
    let (failures, time) = HELD_AFTER;
    let endpoint = stage.table.get(key::endpoint(stage.tenant, id)).await?;
    let Some(since) = endpoint.failing_since.filter(|_| endpoint.failures >= failures && !endpoint.state.parks())
    else {
        return Ok(endpoint.state.parks());
    };
    let change = stage.table.change::<Endpoint>(key::endpoint(stage.tenant, id)).set("failing_since", since - time);
    Ok(change.when("failing_since", since).send().await?.is_some())
}
