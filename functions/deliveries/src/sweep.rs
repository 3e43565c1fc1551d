//! Every minute: queues what is due and has no message under way. The safety net of every delivery.

use std::time::Duration;

use futures::{StreamExt, future::join_all, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing, Tick},
    delivery::{self, Delivery},
    endpoint::Endpoint,
    id::{DeliveryId, EndpointId, JobId},
    job::{self, Job},
    key,
    queue::Queue,
    table::{Listed, Table},
};

/// What is queued now is not queued again before this.
const LEASE: SignedDuration = SignedDuration::from_mins(15);
/// How many of one shard a run takes: the next run takes the rest.
const MOST: u16 = 500;

/// So many entries are worked on at the same time.
const AT_ONCE: usize = 16;

/// What sweeping needs.
pub struct Deps {
    /// The table.
    pub table: Table,
    /// Deliveries to be tried.
    pub queue: Queue,
    /// Jobs to go on with.
    pub jobs: Queue,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        let (queue, jobs) = (aws.queue("DELIVERY_QUEUE_URL")?, aws.queue("DELIVERY_JOBS_URL")?);
        Ok(Self { table: aws.table()?, queue, jobs })
    }
}

/// What a run did.
#[derive(Debug, PartialEq, Serialize)]
pub struct Swept {
    /// Messages sent.
    pub queued: u32,
}

/// Runs at the same time share the work: each entry is moved on by one of them.
pub async fn handle(deps: &Deps, _: Tick) -> Result<Swept> {
    at(deps, Timestamp::now()).await
}

/// The same at a given time. An entry that fails does not keep the others waiting.
pub async fn at(deps: &Deps, now: Timestamp) -> Result<Swept> {
    let shards =
        (0..key::DUE_SHARDS).map(|shard| async move { deps.table.list_index(&key::due_in(shard, now), MOST).await });
    let mut failure = None;
    let mut due = Vec::new();
    for listed in join_all(shards).await {
        match listed {
            Ok(listed) => due.extend(listed),
            Err(error) => failure = Some(error),
        }
    }
    let outcomes = stream::iter(due)
        .map(|listed| async move {
            queue(deps, &listed, now)
                .await
                .inspect_err(|error| tracing::warn!(entry = ?listed, error = ?error, "not queued"))
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;

    let mut queued = 0;
    for outcome in outcomes {
        match outcome {
            Ok(sent) => queued += u32::from(sent),
            Err(error) => failure = Some(error),
        }
    }
    if queued > 0 {
        tracing::info!(queued, "swept");
        shared::metrics::count("DeliveriesSwept", queued.into());
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(Swept { queued }),
    }
}

async fn queue(deps: &Deps, listed: &Listed, now: Timestamp) -> Result<bool> {
    match claim(&deps.table, listed, now).await? {
        Some(Due::Delivery(job)) => deps.queue.send(&job, Duration::ZERO).await.map(|()| true),
        Some(Due::Job(page)) => deps.jobs.send(&page, Duration::ZERO).await.map(|()| true),
        None => Ok(false),
    }
}

/// What is to be done for an entry.
enum Due {
    /// A try, or looking after an endpoint.
    Delivery(delivery::Job),
    /// A page of a job.
    Job(job::Page),
}

/// Moves an entry on in the index, unless it has been moved; then says what to do for it.
async fn claim(table: &Table, listed: &Listed, now: Timestamp) -> Result<Option<Due>> {
    let Some(tenant) = listed.tenant() else {
        return Ok(None);
    };
    let later = |id: &[u8; 16]| Some(key::due(id, now + LEASE));
    if let Some(id) = listed.id::<DeliveryId>() {
        let change = table.change::<Delivery>(key::delivery(tenant, id)).index(later(id.as_bytes()));
        let moved = change.when("gsi1sk", &listed.place).send().await?;
        return Ok(moved.map(|delivery| Due::Delivery(delivery.job())));
    }
    if let Some(endpoint) = listed.id::<EndpointId>() {
        let change = table.change::<Endpoint>(key::endpoint(tenant, endpoint)).index(later(endpoint.as_bytes()));
        let moved = change.when("gsi1sk", &listed.place).write().await?;
        return Ok(moved.then_some(Due::Delivery(delivery::Job::Check { tenant, endpoint })));
    }
    if let Some(id) = listed.id::<JobId>() {
        let change = table.change::<Job>(key::job(tenant, id)).index(later(id.as_bytes())).set("due_at", now + LEASE);
        let moved = change.when("gsi1sk", &listed.place).send().await?;
        return Ok(moved.map(|job| Due::Job(job.page())));
    }
    Ok(None)
}
