//! Completeness: what the source has and nobody reported is found and repaired.

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths())]
pub struct Api;
