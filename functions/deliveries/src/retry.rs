//! `POST /api/v1/deliveries/{id}/retry`: starts a delivery again that had failed.

use std::time::Duration;

use shared::{
    Error, Result,
    boot::{Aws, Missing},
    delivery::{GRACE, State},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::DeliveryId,
    idempotency, key,
    queue::Queue,
    table::Table,
};

use crate::list::DeliveryView;

/// What starting again needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Deliveries to be tried.
    pub queue: Queue,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, queue: aws.queue("DELIVERY_QUEUE_URL")? })
    }
}

/// Puts a failed or dead delivery at the beginning of its schedule and tries it now.
///
/// For owners. The `webhook-id` stays the same; the body is signed with the endpoint's present secret. 409 where the
/// delivery is on its way, waits for its endpoint, or was delivered.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{id}/retry",
    operation_id = "delivery_retry",
    tag = "deliveries",
    params(("id" = DeliveryId, Path, description = "The delivery")),
    responses((status = 202, description = "It is tried again", body = DeliveryView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: DeliveryId = call.part("id", "delivery")?;

    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || {
        again(deps, &call, &person, id).await
    })
    .await
}

async fn again(deps: &Deps, call: &Call, person: &Person, id: DeliveryId) -> Result<Reply> {
    let delivery = deps.table.get(key::delivery(person.tenant, id)).await?;
    let why = match delivery.state {
        State::Failed | State::Dead | State::Cancelled | State::Discarded => None,
        State::Pending => Some("the delivery is on its way already"),
        State::Parked => Some("the delivery waits for its endpoint: enable the endpoint"),
        State::Delivered => Some("the delivery has arrived"),
    };
    if let Some(why) = why {
        return Err(Error::conflict(why));
    }
    let started = deps
        .table
        .change(key::delivery(person.tenant, id))
        .set("state", State::Pending)
        .set("step", 0)
        .set("replay", true)
        .set("due_at", call.now)
        .remove("ended_at")
        .remove("ttl")
        .index(Some(key::due(id.as_bytes(), call.now + GRACE)))
        .when("state", delivery.state)
        .when("attempts", delivery.attempts)
        .send()
        .await?
        .ok_or_else(|| Error::conflict("the delivery has just changed; look again"))?;
    deps.queue.send(&started.job(), Duration::ZERO).await?;

    Ok(Reply::accepted(DeliveryView::from(started)))
}
