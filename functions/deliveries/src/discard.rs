//! `POST /api/v1/deliveries/{id}/discard`: puts a dead letter away.

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

/// What discarding needs.
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

/// How to discard it.
#[derive(Deserialize, ToSchema)]
pub struct Discarding {
    /// Why, 1 to 500 characters.
    reason: String,
}

/// Puts a delivery away that failed or is dead: it no longer stands among the dead letters.
///
/// For owners. It stays in the log with its reason, and `retry` still starts it again. 409 for any other delivery.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{id}/discard",
    operation_id = "delivery_discard",
    tag = "deliveries",
    params(("id" = DeliveryId, Path, description = "The delivery")),
    request_body = Discarding,
    responses((status = 200, description = "It is discarded", body = DeliveryView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: DeliveryId = call.part("id", "delivery")?;
    let discarding = Discarding::read(&call)?;

    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || {
        discard(deps, &call, &person, id, discarding).await
    })
    .await
}

async fn discard(deps: &Deps, call: &Call, person: &Person, id: DeliveryId, why: Discarding) -> Result<Reply> {
    let delivery = deps.table.get(key::delivery(person.tenant, id)).await?;
    if !matches!(delivery.state, State::Failed | State::Dead) {
        return Err(Error::conflict("only a delivery that failed or is dead can be discarded"));
    }
    let discarded = deps
        .table
        .change(key::delivery(person.tenant, id))
        .set("state", State::Discarded)
        .set("reason", why.reason)
        .expires(delivery.kept_from(call.now))
        .when("state", delivery.state)
        .when("attempts", delivery.attempts)
        .send()
        .await?
        .ok_or_else(|| Error::conflict("the delivery has just changed; look again"))?;

    Ok(Reply::ok(DeliveryView::from(discarded)))
}

impl Discarding {
    fn read(call: &Call) -> Result<Self> {
        let mut body = call.fields()?;
        let reason: Option<String> = body.required("reason");
        if reason.as_ref().is_some_and(|reason| !is_reason(reason)) {
            body.fault("reason", "must have 1 to 500 characters");
        }
        body.build(|| Some(Self { reason: reason? }))
    }
}
