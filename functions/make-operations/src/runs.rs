//! `GET /api/v1/make-operations/runs`: the runs of a scenario, newest first.

pub(crate) mod newest;
pub(crate) mod shown;

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    cursor::{self, Paging},
    gate::{Gate, Role},
    http::{Call, Fields, Reply},
    key,
    run::{Run, RunStatus},
    scenario::Scenario,
    secrets::Vault,
    table::{Row, Table},
};
use utoipa::{IntoParams, ToSchema};

use crate::{scenarios::is_id, sight::Sight};
use newest::Stretch;
use shown::RunView;

/// What listing needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that authenticate cursors.
    pub vault: Vault,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()? })
    }
}

/// Which runs.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Of this scenario.
    scenario_id: String,
    /// Only those that ended in one of these ways, separated by commas.
    #[param(value_type = Option<Vec<RunStatus>>, style = Form, explode = false, rename = "status")]
    statuses: Vec<RunStatus>,
    /// Only those that began then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only those that began then or earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// A page of runs.
#[derive(Serialize, ToSchema)]
#[schema(as = MakeRuns)]
pub struct Runs {
    /// Newest first.
    runs: Vec<RunView>,
    /// Goes on from here; null at the end. A filtered page may hold fewer than asked for, and still have a next one.
    next_cursor: Option<String>,
}

/// The runs of a scenario that the ledger knows, newest first: 400 days of them.
///
/// Agents see the runs of scenarios that run for clients, supervisors and above those of the company and of unmapped ones,
/// too; people who are limited to a client see those of the days on which the scenario was its, and 404 where there is no
/// such day. A run that came a moment ago may be missing.
#[utoipa::path(
    get,
    path = "/api/v1/make-operations/runs",
    operation_id = "make_operations_runs",
    tag = "make-operations",
    params(Filter, Paging),
    responses((status = 200, description = "A page of runs", body = Runs))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let mut given = call.parameters();
    let paging = Paging::read(&mut given);
    let filter = Filter::read(given)?;
    let sight = Sight::from(&person);
    let scenario = deps.table.find(key::scenario(person.tenant, &filter.scenario_id)).await?;
    let scenario =
        scenario.filter(|scenario| sight.has_seen(scenario)).ok_or(Error::NotFound { kind: Scenario::KIND })?;

    let keyring = deps.vault.keyring().await?;
    let list = filter.name(&scenario);
    let after = paging.after(&keyring, &call, person.tenant, &list)?;
    let stretch = Stretch {
        scenario: &scenario,
        since: filter.since.unwrap_or(Timestamp::UNIX_EPOCH),
        until: filter.until.unwrap_or(Timestamp::MAX),
    };
    let takes = |run: &Run| filter.takes(run) && sight.sees(scenario.on(run.date).owner);
    let all = filter.statuses.is_empty() && matches!(sight, Sight::All);
    let (runs, more) = stretch.page(&deps.table, paging.limit, after, (!all).then_some(&takes)).await?;
    let next_cursor = more.map(|after| cursor::write(&keyring, person.tenant, &list, &after, call.now)).transpose()?;

    Ok(Reply::ok(Runs { runs: runs.into_iter().map(Into::into).collect(), next_cursor }))
}

impl Filter {
    fn read(mut given: Fields) -> Result<Self> {
        let scenario_id: Option<String> = given.required("scenario_id");
        if scenario_id.as_ref().is_some_and(|id| !is_id(id)) {
            given.fault("scenario_id", "must have 1 to 128 characters");
        }
        let statuses = statuses(&mut given);
        let (since, until) = (given.optional::<Timestamp>("since"), given.optional("until"));
        for (name, moment) in [("since", since), ("until", until)] {
            if moment.is_some_and(|moment| moment < Timestamp::UNIX_EPOCH) {
                given.fault(name, "lies before 1970");
            }
        }
        if since.zip(until).is_some_and(|(since, until)| since > until) {
            given.fault("until", "must not be before `since`");
        }
        given.build(|| Some(Self { scenario_id: scenario_id?, statuses, since, until }))
    }

    fn takes(&self, run: &Run) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&run.status)
    }

    /// What a cursor is bound to besides its tenant.
    fn name(&self, scenario: &Scenario) -> String {
        let Self { statuses, since, until, .. } = self;
        format!("runs {} {statuses:?} {since:?} {until:?}", scenario.id)
    }
}

fn statuses(given: &mut Fields) -> Vec<RunStatus> {
    let words: Option<String> = given.optional("status");
    let words: Vec<&str> = words.iter().flat_map(|words| words.split(',')).collect();
    let statuses: Vec<RunStatus> =
        words.iter().filter_map(|word| serde_json::from_value((*word).into()).ok()).collect();
    if statuses.len() < words.len() {
        given.fault("status", "must be of success, warning and error, separated by commas");
    }
    statuses
}
