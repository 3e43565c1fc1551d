//! What the runs of a day come to, in the form that `sync` takes.

use jiff::civil::Date;
use serde::Serialize;
use shared::{
    id::ClientId,
    run::RunDay,
    scenario::Scenario,
    usage::{OperationType, ScenarioStatus},
};
use utoipa::ToSchema;

use crate::metrics::Amount;

/// What one scenario used on one day, derived from its runs.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = MakeRunsOfDay)]
pub struct Operations {
    /// The client that it ran for.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<ClientId>,
    scenario_name: String,
    scenario_id: String,
    operation_type: OperationType,
    #[schema(value_type = String, format = Date)]
    date: Date,
    operations_count: u64,
    /// How many there may be in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    operations_limit: Option<u64>,
    /// US dollars, exact: what was told of its runs.
    #[schema(value_type = f64, example = 0.25)]
    cost_usd: Amount,
    success_count: u64,
    /// Runs that failed; those with a warning are neither.
    error_count: u64,
    /// As Make.com said last; `active` where it was not asked.
    status: ScenarioStatus,
    /// What the scenario is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// What a scenario used on a day.
pub fn operations_of(scenario: &Scenario, day: &RunDay) -> Operations {
    let mapped = scenario.on(day.date);
    let cell = day.cell(&mapped);
    Operations {
        client_id: mapped.owner.client(),
        scenario_name: scenario.name.clone(),
        scenario_id: scenario.id.clone(),
        operation_type: mapped.operation_type,
        date: day.date,
        operations_count: cell.operations,
        operations_limit: scenario.daily_limit,
        cost_usd: cell.cost.into(),
        success_count: cell.succeeded,
        error_count: cell.failed,
        status: scenario.told.as_ref().map_or(ScenarioStatus::Active, |told| told.status),
        description: scenario.description.clone(),
    }
}
