//! What of a tenant's scenarios a person should look at, and who is told.

mod advance;
pub mod alerts;
pub mod book;
pub mod engine;
pub mod evaluate;
pub mod moment;
pub mod rehearse;
pub mod rules;
mod silence;
mod tell;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    alerts::list::handle,
    alerts::get::handle,
    alerts::act::acknowledge,
    alerts::act::mute,
    alerts::act::resolve,
    rules::list::handle,
    rules::put::handle,
    rules::delete::handle,
    rehearse::handle,
))]
pub struct Api;
