//! `POST /api/v1/deliveries/{id}/retry`: starts a delivery again that nothing is tried for any more.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    delivery::{Delivery, GRACE, State},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::{DeliveryId, JobId},
    idempotency, key,
    queue::Queue,
    table::Table,
};
use utoipa::ToSchema;

use crate::list::DeliveryView;

/// What starting again needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Deliveries to be tried.
    pub queue: Queue,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, queue: aws.queue("DELIVERY_QUEUE_URL")? })
    }
}

/// How to start it again. The body may be left out.
#[derive(Deserialize, ToSchema)]
pub struct Again {
    /// Send it even if it has arrived.
    #[serde(default)]
    #[schema(default = false)]
    force: bool,
}

/// Puts a delivery at the beginning of its schedule and tries it now: one that failed, is dead, was cancelled or was
/// discarded. With `force` also one that has arrived.
///
/// For owners. It counts as a replay: what comes of it stands in no figure of its endpoint and does not change its state.
/// The `webhook-id` stays the same, so a receiver that drops what it has seen drops this too; the body is signed with the
/// endpoint's present secret. 409 where the delivery is on its way, waits for its endpoint, or has arrived.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/{id}/retry",
    operation_id = "delivery_retry",
    tag = "deliveries",
    params(("id" = DeliveryId, Path, description = "The delivery")),
    request_body = Option<Again>,
    responses((status = 202, description = "It is tried again", body = DeliveryView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: DeliveryId = call.part("id", "delivery")?;
    let again = Again::read(&call)?;

    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || {
        start(deps, &call, &person, id, again).await
    })
    .await
}

async fn start(deps: &Deps, call: &Call, person: &Person, id: DeliveryId, again: Again) -> Result<Reply> {
    let delivery = deps.table.get(key::delivery(person.tenant, id)).await?;
    let why = match delivery.state {
        State::Failed | State::Dead | State::Cancelled | State::Discarded => None,
        State::Pending => Some("the delivery is on its way already"),
        State::Parked => Some("the delivery waits for its endpoint: enable the endpoint"),
        State::Delivered if again.force => None,
        State::Delivered => Some("the delivery has arrived: `force` sends it again"),
    };
    if let Some(why) = why {
        return Err(Error::conflict(why));
    }
    let started = replay(&deps.table, &delivery, None, call.now)
        .await?
        .ok_or_else(|| Error::conflict("the delivery has just changed; look again"))?;
    if let Err(error) = deps.queue.send(&started.job(), Duration::ZERO).await {
        tracing::warn!(error = ?error, "the try has no message; the sweep brings it");
    }

    Ok(Reply::accepted(DeliveryView::from(started)))
}

/// Puts a delivery that is as it was read at the beginning of its schedule, to be tried at that time.
pub(crate) async fn replay(
    table: &Table,
    delivery: &Delivery,
    started_by: Option<JobId>,
    due: Timestamp,
) -> Result<Option<Delivery>> {
    table
        .change(key::delivery(delivery.tenant, delivery.id))
        .set("state", State::Pending)
        .set("step", 0)
        .set("replay", true)
        .set_or_remove("started_by", started_by)
        .set("due_at", due)
        .remove("ended_at")
        .remove("reason")
        .lasts()
        .index(Some(key::due(delivery.id.as_bytes(), due + GRACE)))
        .when("state", delivery.state)
        .when("attempts", delivery.attempts)
        .send()
        .await
}

impl Again {
    fn read(call: &Call) -> Result<Self> {
        if call.body().is_empty() {
            return Ok(Self { force: false });
        }
        let mut body = call.fields()?;
        let force = body.or("force", false);
        body.build(|| Some(Self { force: force? }))
    }
}
