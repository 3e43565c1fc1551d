//! The delivery engine: from an accepted event to its outcome. `shared::delivery` tells its story.

pub mod bury;
pub mod get;
pub mod health;
pub mod list;
pub mod retry;
pub mod route;
pub mod send;
pub mod sweep;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    get::handle,
    list::handle,
    retry::handle,
))]
pub struct Api;
