//! Every minute: queues what is due and has no message under way. The safety net of every delivery.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shared::{
    Result,
    boot::{Aws, Missing},
    delivery::{Delivery, Job},
    endpoint::Endpoint,
    id::{DeliveryId, EndpointId},
    key,
    queue::Queue,
    table::{Listed, Table},
};

/// What is queued now is not queued again before this.
const LEASE: SignedDuration = SignedDuration::from_mins(15);
/// How many of one shard a run takes: the next run takes the rest.
const MOST: u16 = 500;

/// What sweeping needs.
pub struct Deps {
    /// The table.
    pub table: Table,
    /// Deliveries to be tried.
    pub queue: Queue,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { table: aws.table()?, queue: aws.queue("DELIVERY_QUEUE_URL")? })
    }
}

/// What the schedule says: nothing.
#[derive(Deserialize)]
pub struct Tick {}

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

/// The same at a given time.
pub async fn at(deps: &Deps, now: Timestamp) -> Result<Swept> {
    let mut queued = 0;
    for shard in 0..key::DUE_SHARDS {
        for listed in deps.table.list_index(&key::due_in(shard, now), MOST).await? {
            if let Some(job) = claim(&deps.table, &listed, now).await? {
                deps.queue.send(&job, Duration::ZERO).await?;
                queued += 1;
            }
        }
    }
    if queued > 0 {
        tracing::info!(queued, "swept");
    }
    Ok(Swept { queued })
}

/// Moves an entry on in the index, unless it has been moved; then says what to do for it.
async fn claim(table: &Table, listed: &Listed, now: Timestamp) -> Result<Option<Job>> {
    let Some(tenant) = listed.tenant() else {
        return Ok(None);
    };
    if let Some(id) = listed.id::<DeliveryId>() {
        let moved = table
            .change::<Delivery>(key::delivery(tenant, id))
            .index(Some(key::due(id.as_bytes(), now + LEASE)))
            .when("gsi1sk", &listed.place)
            .send()
            .await?;
        return Ok(moved.map(|delivery| delivery.job()));
    }
    if let Some(endpoint) = listed.id::<EndpointId>() {
        let moved = table
            .change::<Endpoint>(key::endpoint(tenant, endpoint))
            .index(Some(key::due(endpoint.as_bytes(), now + LEASE)))
            .when("gsi1sk", &listed.place)
            .send()
            .await?;
        return Ok(moved.map(|_| Job::Check { tenant, endpoint }));
    }
    Ok(None)
}
