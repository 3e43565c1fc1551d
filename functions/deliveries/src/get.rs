//! `GET /api/v1/deliveries/{id}`: one delivery with all its attempts.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    delivery::{Attempt, Trigger, Verdict},
    egress::Silence,
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::DeliveryId,
    key,
    table::Table,
};
use utoipa::ToSchema;

use crate::list::DeliveryView;

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

/// A delivery with its attempts.
#[derive(Serialize, ToSchema)]
pub struct DeliveryLog {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// Its attempts, first to last.
    log: Vec<AttemptView>,
}

/// An attempt, as it is shown.
#[derive(Serialize, ToSchema)]
pub struct AttemptView {
    /// Which attempt, counted from 1.
    n: u32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What made it.
    trigger: Trigger,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// The answer's status, where there was an answer.
    status: Option<u16>,
    /// Why there was none.
    error: Option<Silence>,
    /// The first 20,000 bytes of the answer's body.
    answer: Option<String>,
    /// What it meant.
    verdict: Verdict,
    /// When the next attempt was due.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            n: attempt.n,
            at: attempt.at,
            trigger: attempt.trigger,
            duration_ms: attempt.took_ms,
            status: attempt.status,
            error: attempt.error,
            answer: attempt.answer,
            verdict: attempt.verdict,
            next_attempt_at: attempt.next_at,
        }
    }
}

/// One delivery with the log of its attempts: status, duration, answer and the next try of each.
///
/// For supervisors and above. Attempts are kept for 30 days.
#[utoipa::path(
    get,
    path = "/api/v1/deliveries/{id}",
    operation_id = "delivery_get",
    tag = "deliveries",
    params(("id" = DeliveryId, Path, description = "The delivery")),
    responses((status = 200, description = "The delivery", body = DeliveryLog))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let id: DeliveryId = call.part("id", "delivery")?;

    let delivery = deps.table.get(key::delivery(tenant, id)).await?;
    let attempts = deps.table.list_all(&key::attempts(tenant, id)).await?;

    Ok(Reply::ok(DeliveryLog { delivery: delivery.into(), log: attempts.into_iter().map(Into::into).collect() }))
}
