//! `POST /api/v1/endpoints/{id}/enable`: opens an endpoint that was closed, and sends what waited for it.

use std::time::Duration;

use jiff::SignedDuration;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    delivery::Job,
    endpoint::{Endpoint, Holder, State},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::EndpointId,
    idempotency, key,
    notice::Notice,
    queue::Queue,
    table::{Row, Table},
};

use crate::shown::{self, EndpointView};

/// What opening needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Has it looked after.
    pub queue: Queue,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, queue: aws.queue("DELIVERY_QUEUE_URL")? })
    }
}

/// Opens a held or disabled endpoint. What was parked for it is sent, oldest first.
///
/// For owners. An endpoint that is open already stays as it is.
#[utoipa::path(
    post,
    path = "/api/v1/endpoints/{id}/enable",
    operation_id = "endpoint_enable",
    tag = "endpoints",
    params(("id" = EndpointId, Path, description = "The endpoint")),
    responses((status = 200, description = "It is open", body = EndpointView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: EndpointId = call.part("id", Endpoint::KIND)?;

    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || open(deps, &call, &person, id).await)
        .await
}

async fn open(deps: &Deps, call: &Call, person: &Person, id: EndpointId) -> Result<Reply> {
    let endpoint = deps.table.get(key::endpoint(person.tenant, id)).await?;
    if !endpoint.state.parks() {
        // Nothing should wait for it. If something does, it leaves now.
        deps.queue.send(&Job::Check { tenant: person.tenant, endpoint: id }, Duration::ZERO).await?;
        return Ok(shown::reply(endpoint, call.now));
    }
    let check_at = call.now + SignedDuration::from_mins(1);
    let change = deps
        .table
        .change(key::endpoint(person.tenant, id))
        .set("state", State::Active)
        .set("reason", "opened by a person")
        .set("held_by", Holder::default())
        .set("failures", 0)
        .remove("failing_since")
        .set("probes", 0)
        .set("opened_at", call.now)
        .set("check_at", check_at)
        .add("revision", 1)
        .index(Some(key::due(id.as_bytes(), check_at)))
        .when("state", endpoint.state);
    let detail = format!("{} is open again, what waited for it is sent: opened by a person", endpoint.name);
    let notice = Notice::of(person.tenant, "endpoint_enabled", id.to_string(), detail, call.now);
    if !deps.table.transact().change(change).create(&notice).send().await? {
        return Err(Error::conflict("the endpoint has just changed; look again"));
    }
    notice.tell();
    deps.queue.send(&Job::Check { tenant: person.tenant, endpoint: id }, Duration::ZERO).await?;

    Ok(shown::reply(deps.table.get(key::endpoint(person.tenant, id)).await?, call.now))
}
