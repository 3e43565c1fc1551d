//! `GET /api/v1/automation/stats`: how many automations there are, and how often they were executed.

use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    gate::{Gate, Role},
    http::{Call, Reply},
    key,
    table::Table,
};

use crate::shown::Executions;

/// What counting needs.
pub struct Deps {
    /// Who may call.
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

/// All automations of the tenant together.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AutomationStats)]
pub struct Stats {
    /// Automations.
    total: u32,
    active: u32,
    inactive: u32,
    /// Executions that were accepted since the beginning, each once.
    total_executions: u64,
    /// Those that did not fail.
    successful_executions: u64,
    /// Those whose forwarding failed for good.
    failed_executions: u64,
    /// Successful of all, in percent with two decimals; `0.00` before the first execution.
    #[schema(example = "96.00")]
    success_rate: String,
}

/// The tenant's automations and their executions, since the beginning. An execution counts as successful from its
/// acceptance until its forwarding has failed for good. Not for people who are limited to one client.
#[utoipa::path(
    get,
    path = "/api/v1/automation/stats",
    operation_id = "automation_stats",
    tag = "automation",
    responses((status = 200, description = "The counts", body = Stats))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?.of_whole_tenant()?;

    let tally = deps.table.find_now(key::automation_tally(person.tenant)).await?;
    let (total, active) = tally.map_or((0, 0), |tally| (tally.total, tally.active));
    let executions: Executions = deps.table.list_all(&key::all_runs(person.tenant)).await?.into_iter().collect();

    Ok(Reply::ok(Stats {
        total,
        active,
        inactive: total.saturating_sub(active),
        total_executions: executions.total,
        successful_executions: executions.successful,
        failed_executions: executions.failed,
        success_rate: percent(executions.successful, executions.total),
    }))
}

/// A part of a whole in percent, rounded to two decimals; without a float.
fn percent(part: u64, whole: u64) -> String {
    let (part, whole) = (u128::from(part), u128::from(whole));
    let hundredths = (part * 20_000 + whole).checked_div(whole * 2).unwrap_or_default();
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn percent_is_rounded_to_two_decimals() {
        assert_eq!(percent(1_200, 1_250), "96.00");
        assert_eq!(percent(2, 3), "66.67");
        assert_eq!(percent(1, 1), "100.00");
        assert_eq!(percent(0, 0), "0.00");
    }
}
