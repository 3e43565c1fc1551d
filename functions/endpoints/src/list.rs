//! `GET /api/v1/endpoints`: where deliveries go, and how each takes them.

use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    key,
    table::Table,
};
use utoipa::ToSchema;

use crate::EndpointView;

/// What listing needs.
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

/// All endpoints of a tenant.
#[derive(Serialize, ToSchema)]
pub struct Endpoints {
    /// Oldest first; at most 20.
    endpoints: Vec<EndpointView>,
}

/// All endpoints of the tenant, oldest first, with their states.
///
/// For supervisors and above.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints",
    operation_id = "endpoint_list",
    tag = "endpoints",
    responses((status = 200, description = "The endpoints", body = Endpoints))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;

    let endpoints = deps.table.list_all(&key::endpoints(tenant)).await?;

    Ok(Reply::ok(Endpoints { endpoints: endpoints.into_iter().map(Into::into).collect() }))
}
