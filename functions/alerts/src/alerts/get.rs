//! `GET /api/v1/alerts/{id}`: one alert.

use shared::{
    Result,
    gate::Role,
    http::{Call, Reply},
    id::AlertId,
};

use super::{AlertView, Deps};

/// One alert: for everybody who may see what it is about; 404 for all others.
#[utoipa::path(
    get,
    path = "/api/v1/alerts/{id}",
    operation_id = "alert_get",
    tag = "alerts",
    params(("id" = AlertId, Path, description = "The alert")),
    responses((status = 200, description = "The alert", body = AlertView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let alert = deps.alert(&call, &person).await?;
    Ok(Reply::ok(AlertView::from(alert)))
}
