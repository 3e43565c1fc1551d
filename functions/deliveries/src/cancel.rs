//! `POST /api/v1/deliveries/{id}/cancel`: ends a delivery before it has arrived.

use serde::Deserialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    delivery::State,
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::DeliveryId,
    idempotency, key,
    table::Table,
};
use utoipa::ToSchema;

use crate::{is_reason, list::DeliveryView};

/// What cancelling needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()? })
    }
}

/// How to cancel it. The body may be left out.
#[derive(Deserialize, ToSchema)]
pub struct Cancellation {
    /// Why, 1 to 500 characters.
    reason: Option<String>,
}

/// Ends a delivery that is on its way or waits for its endpoint: nothing more is tried.
///
/// For owners. Where an attempt is under way at that moment and arrives, the delivery counts as delivered. 409 where
/// nothing is tried for it any more.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{id}/cancel",
    operation_id = "delivery_cancel",
    tag = "deliveries",
    params(("id" = DeliveryId, Path, description = "The delivery")),
    request_body = Option<Cancellation>,
    responses((status = 200, description = "It is cancelled", body = DeliveryView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: DeliveryId = call.part("id", "delivery")?;
    let cancellation = Cancellation::read(&call)?;

    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || {
        cancel(deps, &call, &person, id, cancellation).await
    })
    .await
}

async fn cancel(deps: &Deps, call: &Call, person: &Person, id: DeliveryId, why: Cancellation) -> Result<Reply> {
    let delivery = deps.table.get(key::delivery(person.tenant, id)).await?;
    if delivery.state.is_settled() {
        return Err(Error::conflict("nothing is tried for the delivery any more"));
    }
    let cancelled = deps
        .table
        .change(key::delivery(person.tenant, id))
        .set("state", State::Cancelled)
        .set("ended_at", call.now)
        .set_or_remove("reason", why.reason)
        .remove("due_at")
        .index(None)
        .expires(delivery.kept_from(call.now))
        .when("state", delivery.state)
        .when("attempts", delivery.attempts)
        .send()
        .await?
        .ok_or_else(|| Error::conflict("the delivery has just changed; look again"))?;

    Ok(Reply::ok(DeliveryView::from(cancelled)))
}

impl Cancellation {
    fn read(call: &Call) -> Result<Self> {
        if call.body().is_empty() {
            return Ok(Self { reason: None });
        }
        let mut body = call.fields()?;
        let reason: Option<String> = body.optional("reason");
        if reason.as_ref().is_some_and(|reason| !is_reason(reason)) {
            body.fault("reason", "must have 1 to 500 characters");
        }
        body.build(|| Some(Self { reason }))
    }
}
