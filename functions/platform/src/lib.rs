//! Tenants, their API keys and clients, and the API's own description.

pub mod clients;
pub mod describe;
pub mod tenant;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    clients::list::handle,
    clients::create::handle,
    clients::get::handle,
    clients::update::handle,
    describe::handle
))]
pub struct Api;
