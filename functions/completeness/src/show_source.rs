//! `GET /api/v1/completeness/source`: the source as it is set, without its key.

use http::header;
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    key,
    source::{Source, Watched},
    table::Table,
};
use utoipa::ToSchema;

/// What showing needs.
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

/// A source as it is shown: its key is not.
#[derive(Serialize, ToSchema)]
#[schema(as = CompletenessSourceView)]
pub struct SourceView {
    /// Its address.
    base_url: String,
    /// The first characters of the SHA-256 of its key.
    key_fingerprint: String,
    /// What is read.
    tables: Vec<Watched>,
    /// Rows that changed before are left alone.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When it was set.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Its version, for `If-Match`.
    #[schema(example = "\"1795255200000.3\"")]
    etag: String,
}

impl SourceView {
    /// Of a source.
    pub fn of(source: Source) -> Self {
        Self {
            etag: source.etag(),
            base_url: source.base_url,
            key_fingerprint: source.fingerprint,
            tables: source.tables,
            since: source.since,
            created_at: source.created_at,
            updated_at: source.updated_at,
        }
    }
}

/// Shows where the tenant's bookings come from. How it goes: `GET /api/v1/completeness`.
///
/// For owners.
#[utoipa::path(
    get,
    path = "/api/v1/completeness/source",
    operation_id = "completeness_source_get",
    tag = "completeness",
    responses((status = 200, description = "The source", body = SourceView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;

    let source = deps.table.get(key::source(tenant)).await?;

    let etag = source.etag();
    Ok(Reply::ok(SourceView::of(source)).header(header::ETAG, etag))
}
