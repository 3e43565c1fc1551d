//! A run, as it is shown.

use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use shared::{
    run::{Origin, Run, RunStatus},
    trace::TraceId,
};
use utoipa::ToSchema;

use crate::metrics::Amount;

/// A run of a scenario.
#[derive(Serialize, ToSchema)]
#[schema(as = MakeRun)]
pub struct RunView {
    /// Make.com's id of it; null where whoever told of it did not know.
    id: Option<String>,
    /// Make.com's id of the scenario.
    scenario_id: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// The day that it counts for, in the tenant's time zone.
    #[schema(value_type = String, format = Date)]
    date: Date,
    /// How it ended.
    status: RunStatus,
    /// Whether it ended well and did nothing: a check that found nothing.
    empty: bool,
    operations_count: u64,
    /// What Make.com bills, exact; null where nobody told.
    #[schema(value_type = Option<f64>, example = 5.00)]
    credits: Option<Amount>,
    /// US dollars, as whoever told of it said; null where nobody did.
    #[schema(value_type = Option<f64>, example = 0.25)]
    cost_usd: Option<Amount>,
    /// Milliseconds; null where nobody told.
    duration_ms: Option<u64>,
    /// Bytes that it moved.
    transfer: u64,
    /// What ties it to an event, its deliveries and their outcome: `GET /api/v1/traces/{trace_id}`.
    trace_id: Option<TraceId>,
    /// Who told of it.
    told_by: Teller,
    /// When it was last told of.
    #[schema(value_type = String, format = DateTime)]
    told_at: Timestamp,
    /// Whether something was corrected after it was first told of.
    corrected: bool,
}

/// Who told of a run.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MakeRunTeller)]
enum Teller {
    /// A webhook.
    Webhook,
    /// Make.com's own log, which has the last word.
    Make,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            empty: run.is_empty(),
            id: (run.origin != Origin::Anonymous).then_some(run.id),
            scenario_id: run.scenario,
            started_at: run.started_at,
            date: run.date,
            status: run.status,
            operations_count: run.operations,
            credits: run.centicredits.map(Amount::hundredths),
            cost_usd: run.cost.map(Into::into),
            duration_ms: run.duration_ms,
            transfer: run.transfer,
            trace_id: run.trace,
            told_by: if run.origin == Origin::Pulled { Teller::Make } else { Teller::Webhook },
            told_at: run.told_at,
            corrected: run.revision > 0,
        }
    }
}
