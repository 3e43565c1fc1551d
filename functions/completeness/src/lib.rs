//! Completeness: what the source has and nobody reported is found and repaired.

mod compare;
pub mod delete_source;
mod fault;
mod findings;
mod plan;
mod postgrest;
pub mod reconcile;
mod run;
pub mod set_source;
pub mod show;
pub mod show_source;

pub use run::{OVERLAP, SETTLE};

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(set_source::handle, show_source::handle, delete_source::handle, show::handle))]
pub struct Api;
