//! `GET /api/v1/traces/{trace_id}`: the story of an event, from the door to what its receivers say.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    table::Table,
    trace::TraceId,
};
use utoipa::ToSchema;

use crate::{
    awaited,
    story::Story,
    timeline::{self, Moment},
};

/// What telling needs.
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

/// The story of a trace.
#[derive(Serialize, ToSchema)]
pub struct Trace {
    trace_id: TraceId,
    /// Whether nothing more is to come of itself: every delivery has ended.
    complete: bool,
    /// What is to come next, in words; empty where it is complete.
    awaited: Vec<String>,
    /// All that happened, in the order of its times; what is planned comes at the time for which it is planned.
    timeline: Vec<Moment>,
    /// Whether there is more than is told here: 10 events, 50 deliveries and 50 attempts of each are.
    truncated: bool,
    /// As of when.
    #[schema(value_type = String, format = DateTime)]
    as_of: Timestamp,
}

/// Tells the story of a trace as one timeline: what was accepted, its numbers in the live channels, each delivery with its
/// attempts and waits, why one is parked, how it ended, and what its receiver says became of it.
///
/// For supervisors and above. 404 where nothing is known of it, and until its event has been numbered: that is a moment after
/// it was accepted, so ask again before you take it for lost.
#[utoipa::path(
    get,
    path = "/api/v1/traces/{trace_id}",
    operation_id = "trace_get",
    tag = "traces",
    params(("trace_id" = TraceId, Path, description = "The trace: `trace_id` of an answer, a delivery or a payload")),
    responses((status = 200, description = "Its story", body = Trace))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let trace_id: TraceId = call.part("trace_id", "trace")?;

    let story = Story::read(&deps.table, tenant, trace_id).await?.ok_or(Error::NotFound { kind: "trace" })?;

    let awaited = awaited::of(&story, call.now);
    Ok(Reply::ok(Trace {
        trace_id,
        complete: awaited.is_empty(),
        awaited,
        timeline: timeline::of(&story),
        truncated: story.truncated,
        as_of: call.now,
    }))
}
