//! Traces: the story of an event from the door to its outcome, and the doctor of signatures.

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths())]
pub struct Api;
