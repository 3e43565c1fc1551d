//! Live channels: the numbered history of bookings, and the sockets that follow it.

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths())]
pub struct Api;
