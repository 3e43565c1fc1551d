//! Traces: the story of an event from the door to its outcome, and the doctor of signatures.

mod awaited;
pub mod doctor;
pub mod get;
pub mod outcome;
mod story;
mod timeline;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(doctor::handle, get::handle, outcome::handle))]
pub struct Api;
