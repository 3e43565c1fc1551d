//! What is still parked for an endpoint that was deleted: it would wait for ever. A person was told how much there was, and
//! has given it up.

use std::time::Duration;

use jiff::Timestamp;
use shared::{
    Result,
    delivery::{Delivery, Job, State},
    id::{DeliveryId, EndpointId, TenantId},
    key,
};

use super::Deps;

/// How many one message ends.
const PAGE: u16 = 50;
/// How long until the next message: an index that lags must not make them many.
const NEXT: Duration = Duration::from_secs(1);

/// Ends a page of it, oldest first, and goes on while there is more.
pub async fn end(deps: &Deps, tenant: TenantId, endpoint: EndpointId, now: Timestamp) -> Result<()> {
    let waiting = deps.table.list_index(&key::all_parked(tenant, endpoint), PAGE).await?;
    if waiting.len() == usize::from(PAGE) {
        // Before anything is ended: a worker killed on its way leaves a message behind.
        deps.queue.send(&Job::Check { tenant, endpoint }, NEXT).await?;
    }
    for id in waiting.iter().filter_map(|listed| listed.id::<DeliveryId>()) {
        if let Some(delivery) = deps.table.find_now(key::delivery(tenant, id)).await? {
            cancel(deps, &delivery, now).await?;
        }
    }
    Ok(())
}

async fn cancel(deps: &Deps, delivery: &Delivery, now: Timestamp) -> Result<()> {
    deps.table
        .change(key::delivery(delivery.tenant, delivery.id))
        .set("state", State::Cancelled)
        .set("ended_at", now)
        .set("reason", "its endpoint was deleted")
        .remove("due_at")
        .index(None)
        .expires(delivery.kept_from(now))
        .when("state", State::Parked)
        .write()
        .await
        .map(drop)
}
