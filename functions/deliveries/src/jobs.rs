//! Jobs: work on many deliveries, page by page. `shared::job` tells how they go on.

pub mod cancel;
pub mod get;
pub mod list;
pub mod work;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    delivery::{Delivery, State},
    gate::{Gate, Person},
    http::{Call, Reply},
    id::{JobId, TenantId},
    job::{self, Job, Work},
    key::{self, Range},
    limit::{Limits, Rate},
    queue::Queue,
    table::{Page, Table},
};
use utoipa::ToSchema;

/// A job starts so many deliveries again at most (as Svix allows).
pub const MOST: u64 = 10_000;
/// A preview looks at so many deliveries a query, and makes so many queries at most.
const LOOKED_AT: u16 = 500;
const MOST_QUERIES: usize = 20;
/// So many previews of a tenant a minute: each reads 20 MB at most.
const PREVIEWS: Rate = Rate { burst: 5, period_ms: 60_000, fails_open: false };

/// What beginning a job needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Jobs to go on with.
    pub jobs: Queue,
    /// How many previews are left.
    pub limits: Limits,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        let jobs = aws.queue("DELIVERY_JOBS_URL")?;
        Ok(Self { gate: aws.gate()?, table: aws.table()?, jobs, limits: Limits::default() })
    }
}

/// A job, as it is shown.
#[derive(Serialize, ToSchema)]
pub struct JobView {
    /// Its id.
    id: JobId,
    /// What is done.
    work: Work,
    /// How far it is.
    state: job::State,
    /// Who began it.
    by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last went on: when its last page was done, or when it began. Where that is long ago while it runs, it waits
    /// because of trouble on our side.
    #[schema(value_type = String, format = DateTime)]
    progressed_at: Timestamp,
    /// By when it goes on while it runs: where it has not by itself until then, it is brought back. Null once it has ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Deliveries looked at.
    looked_at: u64,
    /// Deliveries that the work was done on.
    done: u64,
    /// Deliveries that it could not be done on: they had changed meanwhile, or their endpoint is gone.
    passed_over: u64,
    /// Whether it ended because it may not start more than 10,000 deliveries: begin another for the rest.
    most_reached: bool,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            state: job.state,
            by: job.by,
            created_at: job.created_at,
            progressed_at: job.progressed_at.unwrap_or(job.created_at),
            due_at: job.due_at,
            ended_at: job.ended_at,
            looked_at: job.looked_at,
            done: job.done,
            passed_over: job.passed_over,
            most_reached: matches!(job.work, Work::Replay { .. }) && job.done >= MOST,
            work: job.work,
        }
    }
}

/// What a job would be done on.
#[derive(Serialize, ToSchema)]
pub struct Preview {
    /// How many deliveries.
    count: u64,
    /// Whether all were counted: of more than 10,000 deliveries in the time asked for, only the first are.
    counted_all: bool,
}

/// Begins a job.
pub(crate) async fn begin(deps: &Deps, call: &Call, person: &Person, work: Work) -> Result<Reply> {
    let job = Job::new(person.tenant, work, person.subject.clone(), call.now);
    job.begin(&deps.table).await?;
    if let Err(error) = deps.jobs.send(&job.page(), Duration::ZERO).await {
        tracing::warn!(error = ?error, "the job has no message; the sweep brings it");
    }
    Ok(Reply::accepted(JobView::from(job)))
}

/// The deliveries among which the work lies.
fn range(tenant: TenantId, work: &Work) -> Range<Delivery> {
    match work {
        Work::Replay { since, until, .. } => key::deliveries_between(tenant, *since, *until),
        Work::CleanUp { before } => key::deliveries_between(tenant, Timestamp::UNIX_EPOCH, *before),
    }
}

/// Whether the work is to be done on a delivery.
fn wants(work: &Work, delivery: &Delivery) -> bool {
    match work {
        Work::Replay { endpoint, most_attempts, .. } => {
            matches!(delivery.state, State::Failed | State::Dead)
                && endpoint.is_none_or(|endpoint| delivery.endpoint == endpoint)
                && most_attempts.is_none_or(|most| delivery.attempts <= most)
        }
        Work::CleanUp { .. } => delivery.state.is_settled(),
    }
}

/// Counts what a job would be done on, and changes nothing. 429 where the tenant has looked often in the last minute.
pub(crate) async fn preview(deps: &Deps, tenant: TenantId, work: &Work, now: Timestamp) -> Result<Preview> {
    let Deps { table, limits, .. } = deps;
    limits.draw(table, tenant, "previews", PREVIEWS, now.as_millisecond()).await?.passed()?;
    let mut page = Page::first(LOOKED_AT);
    let mut count = 0;
    for _ in 0..MOST_QUERIES {
        let found = table.list(&range(tenant, work), page.clone()).await?;
        count += found.rows.iter().filter(|delivery| wants(work, delivery)).count() as u64;
        match found.more {
            Some(after) => page.after = Some(after),
            None => return Ok(Preview { count, counted_all: true }),
        }
    }
    Ok(Preview { count, counted_all: false })
}
