//! `POST /api/v1/jobs/{id}/cancel`: ends a job where it is.

use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::JobId,
    idempotency,
    job::{Progress, State},
    key,
    table::Table,
};

use super::JobView;

/// A page that is written down at the same moment is waited for so many times.
const TRIES: usize = 3;

/// What cancelling needs.
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

/// Ends a job that is under way. What it has done stays done; the page that is in hand is finished.
///
/// For owners. 409 where the job has ended.
#[utoipa::path(
    post,
    path = "/api/v1/jobs/{id}/cancel",
    operation_id = "job_cancel",
    tag = "deliveries",
    params(("id" = JobId, Path, description = "The job")),
    responses((status = 200, description = "It is cancelled", body = JobView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: JobId = call.part("id", "job")?;

    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || {
        cancel(deps, &call, &person, id).await
    })
    .await
}

async fn cancel(deps: &Deps, call: &Call, person: &Person, id: JobId) -> Result<Reply> {
    for _ in 0..TRIES {
        let job = deps.table.get(key::job(person.tenant, id)).await?;
        if job.state != State::Running {
            return Err(Error::conflict("the job has ended"));
        }
        if job.end(&deps.table, Progress::default(), State::Cancelled, call.now).await? {
            let job = deps.table.get(key::job(person.tenant, id)).await?;
            return Ok(Reply::ok(JobView::from(job)));
        }
    }
    Err(Error::conflict("the job has just changed; look again"))
}
