//! `POST /api/v1/automation/{id}/deactivate`: from now on it takes no executions.

use shared::{
    Result,
    http::{Call, Reply},
};

use crate::{
    shown::{Deps, Shown},
    switch,
};

/// Stops an automation: from this answer on its webhook answers 409. What it has accepted is still forwarded. Doing it again changes
/// nothing. The body is not read.
#[utoipa::path(
    post,
    path = "/api/v1/automation/{id}/deactivate",
    operation_id = "automation_deactivate",
    tag = "automation",
    params(("id" = String, Path, description = "The automation", example = "aut_06dabr1bg1x010000000000008")),
    responses((status = 200, description = "The automation, deactivated", body = Shown))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    switch::turn(deps, call, false).await
}
