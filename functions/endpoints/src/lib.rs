//! Endpoints: where deliveries go, and how they are looked after.

pub mod create;
pub mod delete;
pub mod disable;
pub mod enable;
pub mod get;
pub mod list;
pub mod rotate_secret;
mod rules;
pub mod shown;
pub mod test;
pub mod update;
pub mod validate;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    create::handle,
    delete::handle,
    disable::handle,
    enable::handle,
    get::handle,
    list::handle,
    rotate_secret::handle,
    test::handle,
    update::handle,
    validate::handle,
))]
pub struct Api;
