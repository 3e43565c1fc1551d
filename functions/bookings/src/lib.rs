//! Booking events: in from the database, and the health of what leaves.

pub mod health;
pub mod receive;
mod row_change;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(health::handle, receive::handle))]
pub struct Api;
