//! `GET /api/v1/jobs`: what people have begun, newest first.

use serde::Serialize;
use shared::{
    Result,
    gate::{Person, Role},
    http::{Call, Reply},
    key,
};
use utoipa::ToSchema;

use super::JobView;
pub use crate::pages::Deps;
use crate::pages::{List, Paging};

/// A page of jobs.
#[derive(Serialize, ToSchema)]
pub struct Jobs {
    /// The jobs, newest first.
    jobs: Vec<JobView>,
    /// Goes on from here; null at the end.
    next_cursor: Option<String>,
}

/// The jobs of the tenant, newest first, with the progress of each.
///
/// For supervisors and above. A job is kept for 30 days after its end.
#[utoipa::path(
    get,
    path = "/api/v1/jobs",
    operation_id = "job_list",
    tag = "deliveries",
    params(Paging),
    responses((status = 200, description = "A page of jobs", body = Jobs))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let mut given = call.parameters();
    let paging = Paging::read(&mut given);
    given.build(|| Some(()))?;
    let list = List { name: "jobs".into(), range: key::jobs(tenant), takes: None, place: |job| job.id.to_string() };

    let (shown, next_cursor) = list.page(deps, &call, tenant, &paging).await?;

    Ok(Reply::ok(Jobs { jobs: shown.into_iter().map(Into::into).collect(), next_cursor }))
}
