//! Make.com usage: what scenarios used, cost and achieved.

mod clients;
mod day;
pub mod fold;
mod given;
mod heard;
pub mod ledger;
mod mapping;
pub mod metrics;
pub mod pull;
pub mod rates;
pub mod refold;
pub mod runs;
pub mod scenarios;
pub mod sight;
pub mod sync;
pub mod webhook;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    metrics::handle,
    pull::ask::handle,
    pull::show::handle,
    rates::create::handle,
    rates::delete::handle,
    rates::list::handle,
    runs::handle,
    scenarios::get::handle,
    scenarios::list::handle,
    scenarios::map::handle,
    sync::handle,
    webhook::handle
))]
pub struct Api;
