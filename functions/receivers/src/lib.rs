//! Receivers: what Make.com itself says of the webhooks that deliveries go to.

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths())]
pub struct Api;
