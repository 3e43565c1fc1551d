//! Tenants, their API keys, and the API's own description.

pub mod describe;
pub mod tenant;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(describe::handle))]
pub struct Api;
