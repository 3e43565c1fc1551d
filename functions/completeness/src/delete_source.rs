//! `DELETE /api/v1/completeness/source`: nothing is compared any more.

use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    key,
    table::Table,
};
use utoipa::ToSchema;

/// What deleting needs.
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

/// The source is gone.
#[derive(Serialize, ToSchema)]
#[schema(as = CompletenessSourceDeleted)]
pub struct Deleted {
    /// Its address.
    base_url: String,
}

/// Deletes the source, its key and how far it was compared. What was found stays.
///
/// For owners. `If-Match` names the version that was seen: 428 without it, 412 where somebody has changed it since.
#[utoipa::path(
    delete,
    path = "/api/v1/completeness/source",
    operation_id = "completeness_source_delete",
    tag = "completeness",
    params(("If-Match" = String, Header, description = "The `ETag` of the source that was seen")),
    responses((status = 200, description = "It is gone", body = Deleted))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let source = deps.table.get(key::source(tenant)).await?;
    call.seen()?.includes(&source.etag())?;

    if !deps.table.delete_seen(key::source(tenant), "revision", source.revision).await? {
        return Err(Error::Stale);
    }

    Ok(Reply::ok(Deleted { base_url: source.base_url }))
}
