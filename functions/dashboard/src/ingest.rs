//! `POST /api/v1/activity`: takes batches of what happened in conversations, to messages and to tickets.
//!
//! Nothing is stored unless every event is good. Then each track that the batch touches is marked, and only then are
//! the events stored: whatever is killed in between, nothing is stored that aggregation will not find. A batch sent
//! again marks and stores the same rows again.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use shared::{
    Error, Result,
    activity::Activity,
    apikey::Scope,
    gate::Gate,
    http::{Call, Reply},
    id::TenantId,
    idempotency,
    limit::Rate,
    snapshot::{Mark, Stale},
    table::{Created, Table},
    tenant::{self, Zone},
};

use crate::{
    report::{self, Report},
    together::together,
};

/// The most events of one batch.
const MOST: usize = 500;
/// How long a process believes that a tenant's zone is what it was.
const BELIEVE: SignedDuration = SignedDuration::from_mins(5);

/// What it needs.
pub struct Deps {
    gate: Gate,
    table: Table,
    zones: Mutex<HashMap<TenantId, (Zone, Timestamp)>>,
}

impl Deps {
    /// All of it stands on the table.
    pub fn new(table: Table) -> Self {
        Self { gate: Gate::new(table.clone()), table, zones: Mutex::default() }
    }
}

/// What happened.
#[derive(utoipa::ToSchema)]
#[schema(as = ActivityBatch)]
#[allow(dead_code, reason = "it describes the form of the body")]
struct Batch {
    /// 1 to 500 events, in any order.
    #[schema(min_items = 1, max_items = 500)]
    events: Vec<Report>,
}

/// What became of a batch.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ActivityAccepted)]
struct Taken {
    /// Events stored now.
    accepted: usize,
    /// Events that were there already. They stay as they were first told.
    duplicates: usize,
}

/// The envelope of the answer.
#[derive(utoipa::ToSchema)]
#[schema(as = ActivityAnswer)]
#[allow(dead_code, reason = "it describes the form of the answer")]
struct Answer {
    /// Always true.
    success: bool,
    /// What became of the batch.
    data: Taken,
}

/// Takes a batch of 1 to 500 events of conversations, messages, their delivery, tickets and leads.
///
/// For back ends with an API key of scope `activity`. Events may come late, repeatedly and in any order: an event is
/// known by its id, the thing that it is about and the hour that it happened in, and is stored once. All faults of all
/// events are told at once, by JSON pointer, and then nothing is stored. A stored event shows in the dashboards after
/// the next aggregation, at most a quarter of an hour later. Up to 12,000 events a minute.
#[utoipa::path(
    post,
    path = "/api/v1/activity",
    operation_id = "activity_ingest",
    tag = "dashboard",
    security(("api_key" = [])),
    request_body = Batch,
    responses((status = 202, description = "All events are stored", body = Answer))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let machine = deps.gate.machine(&call, Scope::Activity, Rate::BATCHES).await?;
    let zone = zone(deps, machine.tenant, call.now).await?;
    let reports = read(&call, machine.tenant, &zone)?;
    deps.gate.batch(&call, &machine, Rate::BATCHES, reports.len()).await?;

    idempotency::once(&deps.table, &call, machine.tenant, &machine.key.to_string(), async || {
        Ok(Reply::accepted(store(&deps.table, &reports, call.now).await?))
    })
    .await
}

fn read(call: &Call, tenant: TenantId, zone: &Zone) -> Result<Vec<Activity>> {
    let mut body = call.fields()?;
    let events: Option<Vec<Value>> = body.required("events");
    if events.as_ref().is_some_and(|events| events.is_empty() || events.len() > MOST) {
        body.fault("events", format!("must be 1 to {MOST} events"));
    }
    let events = body.build(|| events)?;
    let mut faults = Vec::new();
    let mut reports = Vec::with_capacity(events.len());
    for (at, event) in events.into_iter().enumerate() {
        match report::read(event, &format!("/events/{at}"), tenant, zone, call.now) {
            Ok(report) => reports.push(report),
            Err(wrong) => faults.extend(wrong),
        }
    }
    if faults.is_empty() { Ok(reports) } else { Err(Error::Invalid(faults)) }
}

async fn store(table: &Table, reports: &[Activity], now: Timestamp) -> Result<Taken> {
    let tracks: BTreeSet<_> = reports
        .iter()
        .filter(|report| report.what.kind().is_counted())
        .map(|report| (report.tenant, report.track, report.hour))
        .collect();
    let marks: Vec<Mark> = tracks
        .into_iter()
        .map(|(tenant, track, hour)| Mark { tenant, stale: Stale::Track(track, hour), marked_at: now.as_millisecond() })
        .collect();
    together(marks.iter().map(|mark| table.put(mark)).collect()).await?;
    let stored = together(reports.iter().map(|report| table.create(report)).collect()).await?;
    let accepted = stored.iter().filter(|created| matches!(created, Created::New)).count();
    Ok(Taken { accepted, duplicates: stored.len() - accepted })
}

/// The zone that the tenant's hours are cut in.
async fn zone(deps: &Deps, tenant: TenantId, now: Timestamp) -> Result<Zone> {
    let known = deps.zones.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned();
    if let Some((zone, at)) = known
        && now.duration_since(at) < BELIEVE
    {
        return Ok(zone);
    }
    let zone = tenant::zone(&deps.table, tenant).await?;
    let mut zones = deps.zones.lock().unwrap_or_else(PoisonError::into_inner);
    if zones.len() > 10_000 {
        zones.clear();
    }
    zones.insert(tenant, (zone.clone(), now));
    Ok(zone)
}
