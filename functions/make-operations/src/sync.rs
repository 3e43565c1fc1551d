//! `POST /api/make-operations/sync`: what scenarios used on a day, stored in place of what was known of it.

mod rows;

use std::collections::{BTreeSet, HashMap};

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared::{
    Error, Fault, Result,
    apikey::Scope,
    boot::{Aws, Missing},
    gate::Gate,
    http::{Call, Reply},
    id::TenantId,
    idempotency,
    limit::Rate,
    table::Table,
    tenant,
    usage::{OperationType, ScenarioStatus, Usage},
};

use crate::{clients::Clients, day, ledger};

/// A transaction takes so many writes.
const AT_ONCE: usize = 100;

/// What syncing needs.
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

/// What scenarios used.
#[derive(Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "the document's form of what `rows` reads field by field")]
#[schema(as = NewUsage)]
pub struct NewOperations {
    /// 1 to 1,000 rows, no two of them of the same client, day, scenario, type and call.
    operations: Vec<NewRow>,
}

/// What one scenario used on one day.
#[derive(Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "the document's form of what `rows` reads field by field")]
#[schema(as = NewUsageRow)]
pub struct NewRow {
    /// The client that it ran for. The company itself, where neither this nor `client_slug` is given.
    client_id: Option<String>,
    /// The client, by its slug.
    client_slug: Option<String>,
    /// The one call that the operations belong to, up to 128 characters. Each call has a row of its own.
    call_id: Option<String>,
    /// Up to 200 characters.
    #[schema(example = "Lead Processing")]
    scenario_name: String,
    /// Make.com's id of it: text, up to 128 characters, or a number. Without it the name tells scenarios apart.
    #[schema(example = "12345")]
    scenario_id: Option<String>,
    /// `general` unless given.
    operation_type: Option<OperationType>,
    /// `YYYY-MM-DD`, at most 400 days back and at most tomorrow in the tenant's time zone.
    #[schema(example = "2026-11-20", format = Date)]
    date: String,
    /// A whole number, 0 unless given.
    #[schema(example = 150)]
    operations_count: Option<u64>,
    /// How many operations there may be in a day.
    #[schema(example = 1000)]
    operations_limit: Option<u64>,
    /// US dollars with up to 4 decimals, a number or a text; 0 unless given. Kept exactly.
    #[schema(example = 7.50, value_type = Option<f64>)]
    cost_usd: Option<String>,
    /// 0 unless given. Not more than `operations_count` together with `error_count`.
    #[schema(example = 145)]
    success_count: Option<u64>,
    /// 0 unless given.
    #[schema(example = 5)]
    error_count: Option<u64>,
    /// `active` unless given.
    status: Option<ScenarioStatus>,
    /// What the scenario is for, up to 500 characters.
    description: Option<String>,
}

/// What was stored, in the form of the source document.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageSynced)]
pub struct Synced {
    #[schema(example = true)]
    success: bool,
    #[schema(example = "Successfully synced 1 operations record")]
    message: String,
    /// Rows that were stored, new or in place of earlier ones.
    #[schema(example = 1)]
    synced_count: usize,
    data: Stored,
}

/// The same as data.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageStored)]
pub struct Stored {
    synced_count: usize,
}

/// Stores what scenarios used, a row for each client (or the company), day, scenario, type of operation and call. A row
/// that is sent again takes the place of the earlier one, so sending a day twice counts it once. Give either the sum of a
/// day or a row for each of its calls: both together are added up.
///
/// All rows are checked before any is stored, and all that is wrong is told at once by JSON pointer
/// (`/operations/3/date`). Up to 100 rows are stored together or not at all; more than that in steps of 100, which sending
/// them again completes. With an API key of the scope `make_operations`; up to 1 MiB and 12,000 rows a minute.
#[utoipa::path(
    post,
    path = "/api/make-operations/sync",
    operation_id = "make_operations_sync",
    tag = "make-operations",
    security(("api_key" = [])),
    request_body = NewOperations,
    responses((status = 200, description = "All rows are stored", body = inline(Synced)))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let machine = deps.gate.machine(&call, Scope::MakeOperations, Rate::BATCHES).await?;

    idempotency::once(&deps.table, &call, machine.tenant, &machine.key.to_string(), async || {
        let raw = rows::of_body(&call)?;
        deps.gate.batch(&call, &machine, Rate::BATCHES, raw.len()).await?;
        let rows = checked(&deps.table, &raw, machine.tenant, call.now).await?;
        store(&deps.table, machine.tenant, &rows, call.now).await?;
        Ok(Reply::plain(told(rows.len())))
    })
    .await
}

/// Every row of the body, or all that is wrong with any of them.
async fn checked(table: &Table, raw: &[&RawValue], tenant: TenantId, now: Timestamp) -> Result<Vec<Usage>> {
    let today = day::today(&tenant::zone(table, tenant).await?, now);
    let days = today.saturating_sub(day::BACK.days())..=today.saturating_add(1.day());
    let mut read: Vec<rows::Read> =
        raw.iter().enumerate().map(|(n, raw)| rows::read(raw, n, tenant, &days, now)).collect();
    let clients = Clients::find(table, tenant, read.iter().map(|row| &row.client)).await?;

    let mut faults: Vec<Fault> = Vec::new();
    let mut good = Vec::with_capacity(read.len());
    let mut places = HashMap::new();
    for (n, row) in read.iter_mut().enumerate() {
        faults.append(&mut row.faults);
        let client = clients.resolve(&row.client, &format!("/operations/{n}"), &mut faults);
        if let (Some(mut usage), Some(client)) = (row.usage.take(), client) {
            usage.client = client;
            match places.insert((usage.client, usage.date, usage.subject()), n) {
                Some(earlier) => faults.push(Fault::at(
                    format!("/operations/{n}"),
                    format!("is of the same client, date, scenario, type and call as /operations/{earlier}"),
                )),
                None => good.push(usage),
            }
        }
    }
    if faults.is_empty() { Ok(good) } else { Err(Error::Invalid(faults)) }
}

async fn store(table: &Table, tenant: TenantId, rows: &[Usage], now: Timestamp) -> Result<()> {
    for date in rows.iter().map(|row| row.date).collect::<BTreeSet<_>>() {
        ledger::note(table, tenant, date, now).await?;
    }
    for some in rows.chunks(AT_ONCE) {
        some.iter().fold(table.transact(), |writes, row| writes.put(row)).send().await?;
    }
    Ok(())
}

fn told(synced_count: usize) -> Synced {
    let records = if synced_count == 1 { "record" } else { "records" };
    Synced {
        success: true,
        message: format!("Successfully synced {synced_count} operations {records}"),
        synced_count,
        data: Stored { synced_count },
    }
}
