//! `DELETE /api/v1/endpoints/{id}`: an endpoint goes, and nothing that waited for it is lost in silence.
//!
//! Its row goes in one transaction with what must not be missing: the notice, its place in the tally, and what is known of
//! its receiver. A function that is killed before has changed nothing, and the same request does it all; one that is
//! killed after leaves nothing undone but what the message of before finishes. A delivery that is due to an endpoint that
//! is gone fails, and is told. One that is parked for it would wait for ever: the check of an endpoint that is gone ends
//! those, and comes twice, at once and after every function has forgotten the endpoint. The later one is sent before the
//! endpoint goes: for one that stays after all it is a look more.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    delivery::{self, Job},
    endpoint::{Endpoint, is_target, tally::Tally},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::{EndpointId, TenantId},
    key,
    notice::Notice,
    queue::Queue,
    table::{Page, Row, Table},
};
use utoipa::ToSchema;

/// The most that is parked and counted.
const COUNTED: u16 = 1_000;
/// The latest deliveries that are looked at for what is under way: so many pages of so many.
const LOOKED_AT: (usize, u16) = (5, 200);
/// Whoever was overtaken by others who make or delete one tries again so many times.
const TRIES: usize = 5;
/// After so long no function believes any more that the endpoint is there: five seconds of belief, and an attempt.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// What deleting needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Has the rest ended.
    pub queue: Queue,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, queue: aws.queue("DELIVERY_QUEUE_URL")? })
    }
}

/// The endpoint is gone.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointDeleted)]
pub struct Deleted {
    /// Which.
    id: EndpointId,
    /// What waited for it.
    discarded: Waiting,
}

/// What waits for an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EndpointWaiting)]
pub struct Waiting {
    /// Deliveries that are parked; 1000 stands for 1000 or more. They end as `cancelled`.
    parked: usize,
    /// Deliveries that are to be tried again, among the tenant's latest 1,000. They end as `failed` when they are due.
    pending: usize,
}

/// Deletes an endpoint. Its log stays for as long as it is kept.
///
/// For owners. While anything waits for it, 409 says what: let it be delivered first, or say `discard=true`; then what is
/// parked is cancelled, and what is to be tried again fails when it is due, each with a notice. `If-Match` names the version
/// that was seen: 428 without it, 412 where somebody has changed it since. An automation's own endpoint stays (409).
#[utoipa::path(
    delete,
    path = "/api/v1/endpoints/{id}",
    operation_id = "endpoint_delete",
    tag = "endpoints",
    params(
        ("id" = EndpointId, Path, description = "The endpoint"),
        ("discard" = Option<bool>, Query, description = "Give up what waits for it"),
        ("If-Match" = String, Header, description = "The `etag` of the endpoint that was seen"),
    ),
    responses((status = 200, description = "It is gone", body = Deleted))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: EndpointId = call.part("id", Endpoint::KIND)?;
    let endpoint = deps.table.get(key::endpoint(tenant, id)).await?;
    call.seen()?.includes(&endpoint.etag())?;
    let discard = discard(&call)?;
    if is_target(id) {
        return Err(Error::conflict("this endpoint belongs to an automation"));
    }

    let discarded = waiting(&deps.table, tenant, id).await?;
    if !discard && discarded != (Waiting { parked: 0, pending: 0 }) {
        return Err(discarded.conflict());
    }
    delete(deps, &endpoint, discarded, call.now).await?;
    // It is gone: what is parked for it ends a minute later all the same.
    if let Err(error) = deps.queue.send(&check(&endpoint), Duration::ZERO).await {
        tracing::warn!(endpoint.id = %id, error = ?error, "what waits for a deleted endpoint ends a minute later: {error}");
    }

    Ok(Reply::ok(Deleted { id, discarded }))
}

async fn delete(deps: &Deps, endpoint: &Endpoint, discarded: Waiting, now: Timestamp) -> Result<()> {
    let Endpoint { tenant, id, name, revision, .. } = endpoint;
    deps.queue.send(&check(endpoint), FORGOTTEN).await?;
    let detail = format!("{name} was deleted; {} deliveries that waited for it are given up", discarded.sum());
    let notice = Notice::of(*tenant, "endpoint_deleted", id.to_string(), detail, now);
    for _ in 0..TRIES {
        let gone = deps
            .table
            .transact()
            .delete_seen(&endpoint.key(), "revision", revision)
            .change(Tally::one_fewer(&deps.table, *tenant).await?)
            .put(&notice)
            .delete(&key::receiver(*tenant, *id));
        if gone.send().await? {
            notice.tell();
            return Ok(());
        }
        // Somebody has changed it, or only the tally: others come and go.
        let there = deps.table.find_now(endpoint.key()).await?;
        if there.is_none_or(|there| there.revision != *revision) {
            return Err(Error::Stale);
        }
    }
    Err(Error::conflict("endpoints were made or deleted at the same moment; try again"))
}

/// Ends what is parked for an endpoint that is gone.
fn check(endpoint: &Endpoint) -> Job {
    Job::Check { tenant: endpoint.tenant, endpoint: endpoint.id }
}

async fn waiting(table: &Table, tenant: TenantId, endpoint: EndpointId) -> Result<Waiting> {
    let parked = table.list_index(&key::all_parked(tenant, endpoint), COUNTED).await?.len();
    let (pages, size) = LOOKED_AT;
    let mut page = Page { newest_first: true, ..Page::first(size) };
    let mut pending = 0;
    for _ in 0..pages {
        let found = table.list(&key::deliveries(tenant), page.clone()).await?;
        let waits = |row: &&delivery::Delivery| row.endpoint == endpoint && row.state == delivery::State::Pending;
        pending += found.rows.iter().filter(waits).count();
        page.after = found.more;
        if page.after.is_none() {
            break;
        }
    }
    Ok(Waiting { parked, pending })
}

fn discard(call: &Call) -> Result<bool> {
    let mut given = call.parameters();
    let discard = given.parsed("discard");
    given.build(|| Some(discard.unwrap_or(false)))
}

impl Waiting {
    fn sum(self) -> usize {
        self.parked + self.pending
    }

    fn conflict(self) -> Error {
        let Self { parked, pending } = self;
        Error::conflict(format!(
            "{parked} deliveries are parked for it and {pending} are to be tried again: have them delivered, or say discard=true"
        ))
    }
}
