//! `GET /api/make-operations/pull`: how far what Make.com knows is read.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::TenantId,
    key,
    make::pull::{Progress, Pull, State},
    table::Table,
};
use utoipa::ToSchema;

use super::account;

/// What showing needs.
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

/// How the pull of what Make.com knows goes.
#[derive(Serialize, ToSchema)]
pub struct MakePull {
    /// `idle` (the last one is done), `running`, `waiting` (until Make.com may be asked again) or `failed` (it does not get
    /// on, and is tried again by itself).
    state: State,
    /// When the one that is under way began.
    #[schema(value_type = Option<String>, format = DateTime)]
    begun_at: Option<Timestamp>,
    /// What it has come to so far.
    progress: Option<Progress>,
    /// What the one before it came to.
    last: Option<Progress>,
    /// When all was last read.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_success_at: Option<Timestamp>,
    /// Up to when all runs were read.
    #[schema(value_type = Option<String>, format = DateTime)]
    read_to: Option<Timestamp>,
    /// When it begins, or goes on: at six in the tenant's morning, unless something else is the matter. Null while it runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// Since when there is trouble; a pull that is done in full ends it.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// What it was the last time, and what to do where somebody has to. `trouble on our side` is for us to mend: it is tried
    /// again by itself.
    failure: Option<String>,
    /// Scenarios that nobody has mapped to a client or to the company. Their runs are counted, apart.
    unmapped_scenarios: usize,
}

/// How the pull goes: what is under way with its progress, when all was last read, when it begins next, what is wrong, and
/// how many scenarios nobody has mapped.
///
/// For supervisors and above. 404 where there is no account at Make.com: `PUT /api/v1/make/account` gives one.
#[utoipa::path(
    get,
    path = "/api/make-operations/pull",
    operation_id = "make_operations_pull_get",
    tag = "make-operations",
    responses((status = 200, description = "How it goes", body = MakePull))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;

    if account(&deps.table, tenant).await?.is_none() {
        return Err(Error::NotFound { kind: "account at Make.com yet: PUT /api/v1/make/account gives one" });
    }
    let pull = deps.table.find(key::make_pull(tenant)).await?;

    Ok(Reply::ok(shown(&deps.table, tenant, pull.as_ref()).await?))
}

/// A pull as it is shown; an account without one was given before there were any.
pub async fn shown(table: &Table, tenant: TenantId, pull: Option<&Pull>) -> Result<MakePull> {
    let scenarios = table.list_all(&key::scenarios(tenant)).await?;
    let state = pull.map_or(State::Idle, |pull| pull.state);
    let work = pull.and_then(|pull| pull.work.as_ref());
    Ok(MakePull {
        state,
        begun_at: work.map(|work| work.begun_at),
        progress: work.map(|work| work.progress),
        last: pull.and_then(|pull| pull.last),
        last_success_at: pull.and_then(|pull| pull.last_success_at),
        read_to: pull.and_then(|pull| pull.read_to),
        next_at: pull.filter(|_| state != State::Running).map(|pull| pull.due_at),
        failing_since: pull.and_then(|pull| pull.failing_since),
        failure: pull.and_then(|pull| pull.failure.clone()),
        unmapped_scenarios: scenarios.iter().filter(|scenario| scenario.mapping.is_empty()).count(),
    })
}
