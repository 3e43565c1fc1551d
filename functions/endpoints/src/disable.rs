//! `POST /api/v1/endpoints/{id}/disable`: closes an endpoint; what is due to it waits.

use serde::Deserialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    endpoint::{Endpoint, State},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::EndpointId,
    idempotency, key,
    notice::Notice,
    table::{Row, Table},
};
use utoipa::ToSchema;

use crate::shown::{self, EndpointView};

/// What closing needs.
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

/// Why it is closed.
#[derive(Deserialize, ToSchema)]
#[schema(as = EndpointClosing)]
pub struct Closing {
    /// For whoever finds it closed, 1 to 200 characters.
    reason: String,
}

/// Closes an endpoint until a person enables it. What is due to it is parked, listed and counted, and never dropped.
///
/// For owners. One that is closed already stays as it is. Functions that are at work send to it for 5 seconds more.
#[utoipa::path(
    post,
    path = "/api/v1/endpoints/{id}/disable",
    operation_id = "endpoint_disable",
    tag = "endpoints",
    params(("id" = EndpointId, Path, description = "The endpoint")),
    request_body = Closing,
    responses((status = 200, description = "It is closed", body = EndpointView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: EndpointId = call.part("id", Endpoint::KIND)?;

    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || {
        close(deps, &call, &person, id).await
    })
    .await
}

async fn close(deps: &Deps, call: &Call, person: &Person, id: EndpointId) -> Result<Reply> {
    let endpoint = deps.table.get(key::endpoint(person.tenant, id)).await?;
    let Closing { reason } = Closing::read(call)?;
    if endpoint.state == State::Disabled {
        return Ok(shown::reply(endpoint, call.now));
    }
    let change = deps
        .table
        .change(key::endpoint(person.tenant, id))
        .set("state", State::Disabled)
        .set("reason", &reason)
        .add("revision", 1)
        .remove("check_at")
        .index(None)
        .when("state", endpoint.state);
    let detail = format!("{} is disabled, what is due to it is parked: {reason}", endpoint.name);
    let notice = Notice::of(person.tenant, "endpoint_disabled", id.to_string(), detail, call.now);
    if !deps.table.transact().change(change).create(&notice).send().await? {
        return Err(Error::conflict("the endpoint has just changed; look again"));
    }
    notice.tell();

    Ok(shown::reply(deps.table.get(key::endpoint(person.tenant, id)).await?, call.now))
}

impl Closing {
    fn read(call: &Call) -> Result<Self> {
        let mut body = call.fields()?;
        let reason: Option<String> = body.required("reason");
        let reason = reason.map(|reason| reason.trim().to_owned());
        if reason.as_ref().is_some_and(|reason| !(1..=200).contains(&reason.chars().count())) {
            body.fault("reason", "must have 1 to 200 characters");
        }
        body.build(|| Some(Self { reason: reason? }))
    }
}
