//! Automations made from templates, and the webhook that runs them.

pub mod activate;
pub mod catalogue;
pub mod create;
pub mod deactivate;
pub mod list;
pub mod rotate_secret;
pub mod shown;
pub mod stats;
mod switch;
pub mod templates;
pub mod webhook;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    activate::handle,
    create::handle,
    deactivate::handle,
    list::handle,
    rotate_secret::handle,
    stats::handle,
    templates::handle,
    webhook::handle,
))]
pub struct Api;
