//! `GET /api/v1/endpoints`: where deliveries go, and how each takes them.

use http::header;
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

use crate::shown::EndpointView;

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

/// All endpoints of the tenant that subscribe to types of event, oldest first, with their states. An automation's own is
/// read by its id.
///
/// For supervisors and above. The `ETag` is that of the whole list: 304 while nothing has changed.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints",
    operation_id = "endpoint_list",
    tag = "endpoints",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the list that you have")),
    responses(
        (status = 200, description = "The endpoints", body = Endpoints),
        (status = 304, description = "You have this very list already"),
    )
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;

    let endpoints = deps.table.list_all(&key::endpoints(tenant)).await?;

    let shown = endpoints.into_iter().map(|endpoint| EndpointView::of(endpoint, call.now)).collect();
    let reply = Reply::ok(Endpoints { endpoints: shown }).header(header::CACHE_CONTROL, "private, no-cache");
    Ok(reply.tagged(&call))
}
