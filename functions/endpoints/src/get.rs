//! `GET /api/v1/endpoints/{id}`: one endpoint, and the version to change it by.

use shared::{
    Result,
    boot::{Aws, Missing},
    endpoint::Endpoint,
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::EndpointId,
    key,
    table::{Row, Table},
};

use crate::shown::{self, EndpointView};

/// What reading needs.
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

/// One endpoint, a subscriber or an automation's own.
///
/// For supervisors and above. Its `ETag` is the version of what people have set, to be sent as `If-Match` with a change;
/// the state that deliveries put it into does not move it.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints/{id}",
    operation_id = "endpoint_get",
    tag = "endpoints",
    params(("id" = EndpointId, Path, description = "The endpoint")),
    responses((status = 200, description = "The endpoint", body = EndpointView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let id: EndpointId = call.part("id", Endpoint::KIND)?;

    let endpoint = deps.table.get(key::endpoint(tenant, id)).await?;

    Ok(shown::reply(endpoint, call.now))
}
