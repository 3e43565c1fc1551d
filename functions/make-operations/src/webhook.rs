//! `POST /api/make-operations/webhook`: runs as they happen, counted once.

mod body;
mod execution;
mod operations;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use shared::{
    Error, Fault, Result,
    apikey::Scope,
    boot::{Aws, Missing},
    event,
    gate::Gate,
    http::{Call, Reply},
    id::{ClientId, TenantId},
    idempotency, key,
    limit::Rate,
    run::{Origin, Run, RunDay, RunStatus},
    scenario::{Mapped, Owner, Scenario},
    table::Table,
    tenant::{self, Zone},
    usage::OperationType,
};
use utoipa::ToSchema;

use crate::{
    clients::Clients,
    day,
    heard::{self, Heard},
    ledger::{self, Recorded},
};
use body::Body;
use execution::Execution;

pub(crate) use execution::parts;
pub use operations::{Operations, operations_of};

/// So many days are read in one request.
const TOGETHER: usize = 100;
/// So many scenarios that are known are mapped for the first time by one body: their days are read for it.
const MAPPED: usize = 20;

/// What recording needs.
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

/// Runs of a scenario. In place of this, Make.com's own records of runs: one, a list of them, or the answer of its log
/// (`scenarioLogs`), with `imtId` or `scenario_id` to say of which scenario; fields that are not known are passed over there.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form of what is read field by field")]
#[schema(as = NewMakeRuns)]
pub struct NewRuns {
    /// Make.com's id of the scenario: text, up to 128 characters, or a number.
    #[schema(example = "12345")]
    scenario_id: String,
    /// Up to 200 characters. Kept current; its id, where nobody has told a name.
    #[schema(example = "Lead Processing")]
    scenario_name: Option<String>,
    /// The client that the scenario runs for: one that nobody has mapped is mapped to it, for all days. Where it is
    /// somebody else's on the day of a run, that is a fault.
    client_id: Option<String>,
    /// The client, by its slug.
    client_slug: Option<String>,
    /// What the scenario is for, with the client; `general` unless given or known.
    operation_type: Option<OperationType>,
    /// At most 1,000.
    executions: Vec<NewRun>,
}

/// A run of a scenario.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form of what is read field by field")]
#[schema(as = NewMakeRun)]
pub struct NewRun {
    /// `success`, `warning` or `error`; words like `succeeded` and `failed`, and Make.com's numbers 1, 2 and 3, say the same.
    /// A run that is pending (0) is ignored.
    #[schema(example = "success")]
    status: String,
    /// How many operations; Make.com calls it `operations`.
    #[schema(example = 5)]
    operations_consumed: u64,
    /// US dollars with up to 4 decimals, a number or a text. Kept exactly.
    #[schema(example = 0.25, value_type = Option<f64>)]
    cost_usd: Option<String>,
    /// When it began: RFC 3339, at most 400 days ago and a day ahead.
    #[schema(value_type = String, format = DateTime, example = "2025-01-22T10:30:00Z")]
    timestamp: Timestamp,
    /// Make.com's id of the run, also as `execution_id` or `run_id`. Without it a run is known by what it says, and by how
    /// many before it in the same body say the same.
    id: Option<String>,
    /// Credits with up to 2 decimals; or `centicredits`, hundredths of them.
    #[schema(value_type = Option<f64>)]
    credits: Option<String>,
    /// How long it took, in milliseconds.
    duration: Option<u64>,
    /// Bytes that it moved.
    transfer: Option<u64>,
    /// What ties it to an event: the `trace_id` that came with it, 32 hexadecimal digits.
    trace_id: Option<String>,
}

/// What became of the runs.
#[derive(Serialize, ToSchema)]
#[schema(as = MakeRunsTaken)]
pub struct Taken {
    #[schema(example = true)]
    success: bool,
    #[schema(example = "Recorded 1 run")]
    message: String,
    data: Told,
}

/// How many there were, and what their days come to.
#[derive(Serialize, ToSchema)]
#[schema(as = MakeRunsRecorded)]
pub struct Told {
    /// Runs that were not known before.
    recorded: usize,
    /// Runs that were known and said something else.
    corrected: usize,
    /// Runs that were known.
    repeated: usize,
    /// Runs that are pending: they are told of again when they have ended.
    ignored: usize,
    /// Each day of each scenario that has a run among these, with all that is known of it by now, in the form that `sync`
    /// takes. Without `client_id`: the company's, or nobody's yet.
    operations: Vec<Operations>,
}

/// Records runs of scenarios, each once: a run that comes again, in this body or in any other, changes nothing, and one that
/// says something else now replaces what it said. What Make.com's own log says of a run overrules both. A scenario that was
/// never heard of is listed from then on, unmapped unless a client is named. 409 where there would be more than 20,000, and
/// where a client is named for more than 20 that were known and that nobody has mapped: map these one by one.
///
/// All runs are checked before any is stored, and all that is wrong is told at once by JSON pointer
/// (`/executions/3/timestamp`). Killed half-way, what is stored is counted, and sending the body again completes it. A day is
/// what the tenant's time zone makes of it. With an API key of the scope `make_operations`; up to 1 MiB and 12,000 runs a
/// minute.
#[utoipa::path(
    post,
    path = "/api/make-operations/webhook",
    operation_id = "make_operations_webhook",
    tag = "make-operations",
    security(("api_key" = [])),
    request_body = NewRuns,
    responses((status = 200, description = "All runs are counted", body = inline(Taken)))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let machine = deps.gate.machine(&call, Scope::MakeOperations, Rate::BATCHES).await?;

    idempotency::once(&deps.table, &call, machine.tenant, &machine.key.to_string(), async || {
        let body = Body::of(&call)?;
        deps.gate.batch(&call, &machine, Rate::BATCHES, body.executions.len()).await?;
        let table = deps.table.clone().consistent();
        let zone = tenant::zone(&table, machine.tenant).await?;
        let checked = checked(&table, machine.tenant, &zone, body, call.now).await?;
        Ok(Reply::plain(record(&table, machine.tenant, &zone, checked, call.now).await?))
    })
    .await
}

/// What is good in full.
struct Checked {
    heard: Heard,
    known: HashMap<String, Scenario>,
    /// What scenarios are that nobody has mapped, where the body says so.
    first: Option<Mapped>,
    runs: Vec<Run>,
    ignored: usize,
}

/// Every run of the body, or all that is wrong with any of them.
async fn checked(table: &Table, tenant: TenantId, zone: &Zone, body: Body<'_>, now: Timestamp) -> Result<Checked> {
    let read: Vec<_> = body.executions.iter().map(|(at, raw)| execution::read(raw, at, &body, now)).collect();
    let clients = Clients::find(table, tenant, std::iter::once(&body.client)).await?;
    let mut faults = body.faults;
    let client = clients.resolve(&body.client, "", &mut faults).flatten();

    let mut heard: Heard = body.scenario.map(|id| (id, body.name)).into_iter().collect();
    let mut executions = Vec::with_capacity(read.len());
    let mut ignored = 0;
    for mut one in read {
        faults.append(&mut one.faults);
        if let Some((scenario, name)) = one.scenario {
            let known_as = heard.entry(scenario).or_default();
            *known_as = name.or(known_as.take());
        }
        ignored += usize::from(one.is_pending);
        executions.extend(one.execution);
    }
    let known = heard::known(table, tenant, heard.keys()).await?;
    let runs = runs(executions, tenant, zone, now);
    if let Some(client) = client {
        let named = if body.client.id.is_some() { "/client_id" } else { "/client_slug" };
        faults.extend(elsewhere(&known, &runs, client, named, body.operation_type));
    }
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    let unmapped = known.values().filter(|scenario| scenario.mapping.is_empty()).count();
    if client.is_some() && unmapped > MAPPED {
        return Err(Error::conflict(format!(
            "{unmapped} of its scenarios were known and are mapped to nobody, and one body maps {MAPPED} at most: map them first"
        )));
    }
    let first = client.map(|client| Mapped {
        owner: Owner::Client(client),
        operation_type: body.operation_type.unwrap_or(OperationType::General),
        ..Mapped::default()
    });
    Ok(Checked { heard, known, first, runs, ignored })
}

/// The runs, in their tenant's days. One without an id is known by what it says, and by how many before it say the same.
fn runs(executions: Vec<Execution>, tenant: TenantId, zone: &Zone, now: Timestamp) -> Vec<Run> {
    let mut alike: HashMap<String, u32> = HashMap::new();
    let run = |told: Execution| {
        let (date, hour) = ledger::place(zone, told.started_at);
        let origin = if told.id.is_some() { Origin::Reported } else { Origin::Anonymous };
        let id = told.id.clone().unwrap_or_else(|| {
            let nth = alike.entry(identity(tenant, &told, None)).or_default();
            *nth += 1;
            identity(tenant, &told, Some(*nth))
        });
        Run {
            tenant,
            scenario: told.scenario,
            id,
            started_at: told.started_at,
            date,
            hour,
            status: told.status,
            operations: told.operations,
            centicredits: told.centicredits,
            transfer: told.transfer,
            duration_ms: told.duration_ms,
            cost: told.cost,
            origin,
            trace: told.trace,
            revision: 0,
            told_at: now,
        }
    };
    executions.into_iter().map(run).collect()
}

/// What a run says, in 32 characters.
fn identity(tenant: TenantId, told: &Execution, nth: Option<u32>) -> String {
    let status: &[u8] = match told.status {
        RunStatus::Success => b"success",
        RunStatus::Warning => b"warning",
        RunStatus::Error => b"error",
    };
    let parts: [&[u8]; 7] = [
        b"run",
        told.scenario.as_bytes(),
        &told.started_at.as_nanosecond().to_be_bytes(),
        status,
        &told.operations.to_be_bytes(),
        &told.cost.map_or(u64::MAX, shared::usage::Usd::ten_thousandths).to_be_bytes(),
        &nth.unwrap_or_default().to_be_bytes(),
    ];
    let id = event::identity(tenant, &parts);
    id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Scenarios that are mapped to somebody else, or for something else, than the body says.
fn elsewhere(
    known: &HashMap<String, Scenario>,
    runs: &[Run],
    client: ClientId,
    named: &str,
    operation_type: Option<OperationType>,
) -> Vec<Fault> {
    let days: BTreeMap<&String, BTreeSet<Date>> = runs.iter().fold(BTreeMap::new(), |mut days, run| {
        days.entry(&run.scenario).or_default().insert(run.date);
        days
    });
    let mut faults = Vec::new();
    for (id, days) in days {
        let Some(scenario) = known.get(id).filter(|scenario| !scenario.mapping.is_empty()) else { continue };
        let on = |wrong: &dyn Fn(&Mapped) -> bool| days.iter().find(|date| wrong(&scenario.on(**date)));
        if let Some(date) = on(&|mapped| mapped.owner != Owner::Client(client)) {
            let detail = format!("scenario {id} is somebody else's on {date}: change its mapping, or leave this out");
            faults.push(Fault::at(named, detail));
        }
        if let Some(date) = on(&|mapped| operation_type.is_some_and(|given| mapped.operation_type != given)) {
            let detail =
                format!("scenario {id} is for something else on {date}: change its mapping, or leave this out");
            faults.push(Fault::at("/operation_type", detail));
        }
    }
    faults
}

/// Scenarios first: what is counted belongs to something that is listed.
async fn record(table: &Table, tenant: TenantId, zone: &Zone, checked: Checked, now: Timestamp) -> Result<Taken> {
    let Checked { heard, known, first, runs, ignored } = checked;
    let moment = (day::today(zone, now), now);
    let scenarios = heard::keep(table, tenant, heard, known, first.as_ref(), moment).await?;
    let is_theirs = |run: &Run, first: &Mapped| scenarios[&run.scenario].on(run.date).owner == first.owner;
    if first.is_some_and(|first| !runs.iter().all(|run| is_theirs(run, &first))) {
        return Err(Error::unavailable("scenario", "somebody else maps it at this moment"));
    }
    let days: BTreeSet<(String, Date)> = runs.iter().map(|run| (run.scenario.clone(), run.date)).collect();
    let recorded = ledger::record(table, tenant, runs, now).await?;
    let operations = derived(table, tenant, &scenarios, &days).await?;
    Ok(told(recorded, ignored, operations))
}

/// What the days come to by now, by scenario and day.
async fn derived(
    table: &Table,
    tenant: TenantId,
    scenarios: &HashMap<String, Scenario>,
    days: &BTreeSet<(String, Date)>,
) -> Result<Vec<Operations>> {
    let keys: Vec<_> = days.iter().map(|(scenario, date)| key::run_day(tenant, *date, scenario)).collect();
    let mut rows: Vec<RunDay> = Vec::with_capacity(keys.len());
    for some in keys.chunks(TOGETHER) {
        rows.extend(table.find_all(some).await?);
    }
    rows.sort_by(|one, other| (&one.scenario, one.date).cmp(&(&other.scenario, other.date)));
    Ok(rows.iter().filter_map(|day| Some(operations_of(scenarios.get(&day.scenario)?, day))).collect())
}

fn told(recorded: Recorded, ignored: usize, operations: Vec<Operations>) -> Taken {
    let Recorded { new, corrected, repeated } = recorded;
    let runs = if new == 1 { "run" } else { "runs" };
    Taken {
        success: true,
        message: format!("Recorded {new} {runs}"),
        data: Told { recorded: new, corrected, repeated, ignored, operations },
    }
}
