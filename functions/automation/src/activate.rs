//! `POST /api/v1/automation/{id}/activate`: from now on it takes executions.

use shared::{
    Result,
    http::{Call, Reply},
};

use crate::{
    shown::{Deps, Shown},
    switch,
};

/// Lets an automation's webhook take executions, from this answer on. Doing it again changes
/// nothing. The body is not read.
#[utoipa::path(
    post,
    path = "/api/v1/automation/{id}/activate",
    operation_id = "automation_activate",
    tag = "automation",
    params(("id" = String, Path, description = "The automation", example = "aut_06dabr1bg1x010000000000008")),
    responses((status = 200, description = "The automation, activated", body = Shown))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    switch::turn(deps, call, true).await
}
