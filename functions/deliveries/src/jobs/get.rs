//! `GET /api/v1/jobs/{id}`: how far a job is.

use shared::{
    Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::JobId,
    key,
    table::Table,
};

use super::JobView;

/// What reading needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()? })
    }
}

/// One job with its progress.
///
/// For supervisors and above.
#[utoipa::path(
    get,
    path = "/api/v1/jobs/{id}",
    operation_id = "job_get",
    tag = "deliveries",
    params(("id" = JobId, Path, description = "The job")),
    responses((status = 200, description = "The job", body = JobView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let id: JobId = call.part("id", "job")?;

    let job = deps.table.get(key::job(tenant, id)).await?;

    Ok(Reply::ok(JobView::from(job)))
}
