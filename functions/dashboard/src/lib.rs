//! What happens in conversations, to messages and to tickets, folded into KPIs.

pub mod aggregate;
pub mod cron;
mod fold;
pub mod ingest;
pub mod kpi;
mod report;
mod strip;
mod together;
mod track;
mod window;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(ingest::handle, cron::handle, kpi::handle))]
pub struct Api;
