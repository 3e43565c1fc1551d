//! `GET /api/v1/make-operations/scenarios/{id}`: one scenario, its latest run, and the version to change it by.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Role},
    http::{Call, Reply},
    key,
    run::Run,
    scenario::Scenario,
    table::{Row, Table},
    tenant,
};
use utoipa::ToSchema;

use super::shown::ScenarioView;
use crate::{
    day,
    runs::{newest::Stretch, shown::RunView},
    sight::Sight,
};

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

/// A scenario with its latest run.
#[derive(Serialize, ToSchema)]
#[schema(as = MakeScenarioInFull)]
pub struct InFull {
    #[serde(flatten)]
    scenario: ScenarioView,
    /// The latest one that the person may see; null where there is none, or none among the thousand before it.
    latest_run: Option<RunView>,
}

/// One scenario with its latest run. Its `ETag` is the version of what people have set, to be sent as `If-Match` with a new
/// mapping; what Make.com says of it does not move it.
///
/// For everybody who may see whom it runs for today; 404 for all others.
#[utoipa::path(
    get,
    path = "/api/v1/make-operations/scenarios/{id}",
    operation_id = "make_scenario_get",
    tag = "make-operations",
    params(("id" = String, Path, description = "Make.com's id of it")),
    responses((status = 200, description = "The scenario", body = InFull))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let id = super::named(&call)?;
    let sight = Sight::from(&person);
    let scenario = deps.table.get(key::scenario(person.tenant, &id)).await?;
    let today = day::today(&tenant::zone(&deps.table, person.tenant).await?, call.now);
    if !sight.sees(scenario.on(today).owner) {
        return Err(Error::NotFound { kind: Scenario::KIND });
    }

    let takes = |run: &Run| sight.sees(scenario.on(run.date).owner);
    let takes: Option<&(dyn Fn(&Run) -> bool + Sync)> = if matches!(sight, Sight::All) { None } else { Some(&takes) };
    let stretch = Stretch { scenario: &scenario, since: Timestamp::UNIX_EPOCH, until: Timestamp::MAX };
    let (runs, _) = stretch.page(&deps.table, 1, None, takes).await?;

    let view = ScenarioView::of(scenario.clone(), today, sight);
    let told = InFull { scenario: view, latest_run: runs.into_iter().next().map(Into::into) };
    Ok(told.scenario.tag(Reply::ok(&told)))
}
