//! Make.com usage: what scenarios used, cost and achieved.

mod day;
pub mod fold;
pub mod ledger;
pub mod metrics;
pub mod sync;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(metrics::handle, sync::handle))]
pub struct Api;
