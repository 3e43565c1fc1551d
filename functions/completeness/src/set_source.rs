//! `PUT /api/v1/completeness/source`: where the tenant's bookings come from, tried before it is stored.

use futures::future::join_all;
use http::header;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    egress::Egress,
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::TenantId,
    key,
    limit::{Limits, Rate},
    secrets::{Keyring, Vault, fingerprint},
    source::{Source, Watched},
    table::{Created, Table},
};
use utoipa::ToSchema;

use crate::{fault::Fault, plan::Plan, postgrest::Postgrest, run::to_the_microsecond, show_source::SourceView};

/// So often a minute a tenant's source is tried: each time it may keep a function busy as long as it likes.
const RATE: Rate = Rate { burst: 10, period_ms: 60_000, fails_open: false };

/// What setting needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Seals the source's key.
    pub vault: Vault,
    /// The way to the source.
    pub egress: Egress,
    /// How many attempts are left.
    pub limits: Limits,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        let limits = Limits::default();
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()?, egress: aws.egress()?, limits })
    }
}

/// A source that is set, and what it showed when it was tried.
#[derive(Serialize, ToSchema)]
#[schema(as = CompletenessSourceSet)]
pub struct SourceSet {
    #[serde(flatten)]
    source: SourceView,
    /// Each table, as it was tried.
    tried: Vec<Tried>,
}

/// What a table showed.
#[derive(Serialize, ToSchema)]
#[schema(as = CompletenessTried)]
pub struct Tried {
    /// Which.
    table: String,
    /// What the cursor of its newest row says. Null where no row is seen: the table is empty, or row level security hides
    /// its rows from this key.
    newest: Option<String>,
}

/// Sets where the tenant's bookings come from: Supabase's REST interface. From then on, every ten minutes, what changed
/// there is compared with what came in, and events that nobody reported are made.
///
/// For owners; 10 a minute. The source is tried first, and is not set unless every table can be read: what is wrong is told by name
/// (`key_refused`, `unknown_table`, `unknown_column`, `unreachable`, …). The key is sealed and never shown again. The first
/// time 201; to change a source, `If-Match` names the version that was seen: 428 without it, 412 where it has changed.
#[utoipa::path(
    put,
    path = "/api/v1/completeness/source",
    operation_id = "completeness_source_set",
    tag = "completeness",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` of the source that was seen, where there is one")),
    request_body = Plan,
    responses(
        (status = 200, description = "It is changed", body = SourceSet),
        (status = 201, description = "It is set", body = SourceSet),
    )
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let earlier = deps.table.find_now(key::source(tenant)).await?;
    expected(&call, earlier.as_ref())?;
    let plan = Plan::read(&call, &deps.egress, earlier.as_ref())?;
    let keyring = deps.vault.keyring().await?;
    let key = chosen(&keyring, &plan, earlier.as_ref())?;
    limit(deps, &call, tenant).await?;
    let tried = tried(deps, &plan, &key).await?;

    let is_new = earlier.is_none();
    let source = match earlier {
        None => make(deps, &keyring, tenant, plan, &key, call.now).await?,
        Some(earlier) => change(deps, &keyring, earlier, plan, &key, call.now).await?,
    };

    let etag = source.etag();
    let told = SourceSet { source: SourceView::of(source), tried };
    Ok(if is_new { Reply::created(told) } else { Reply::ok(told) }.header(header::ETAG, etag))
}

/// Who says nothing of a version expects none.
fn expected(call: &Call, earlier: Option<&Source>) -> Result<()> {
    match earlier {
        Some(earlier) => call.seen()?.includes(&earlier.etag()),
        None if call.term("if-match")?.is_some() => Err(Error::Stale),
        None => Ok(()),
    }
}

async fn limit(deps: &Deps, call: &Call, tenant: TenantId) -> Result<()> {
    let now = call.now.as_millisecond();
    deps.limits.draw(&deps.table, tenant, "source", RATE, now).await?.passed()
}

fn chosen(keyring: &Keyring, plan: &Plan, earlier: Option<&Source>) -> Result<SecretString> {
    match (&plan.key, earlier) {
        (Some(key), _) => Ok(key.clone()),
        (None, Some(earlier)) => keyring.open(Source::place(&earlier.tenant.to_string()), &earlier.key),
        (None, None) => Err(Error::invalid("/key", "is missing")),
    }
}

/// Looks at every table. All that is wrong with any of them is told.
async fn tried(deps: &Deps, plan: &Plan, key: &SecretString) -> Result<Vec<Tried>> {
    let looked = join_all(plan.tables.iter().map(|watched| look(deps, plan, key, watched))).await;
    let (mut tried, mut faults) = (Vec::new(), Vec::new());
    for ((n, watched), newest) in plan.tables.iter().enumerate().zip(looked) {
        match newest {
            Ok(newest) => tried.push(Tried { table: watched.table.clone(), newest }),
            Err(fault) => {
                let told = fault.of_configuration(n, watched);
                if !faults.contains(&told) {
                    faults.push(told);
                }
            }
        }
    }
    if faults.is_empty() { Ok(tried) } else { Err(Error::Invalid(faults)) }
}

async fn look(deps: &Deps, plan: &Plan, key: &SecretString, watched: &Watched) -> Result<Option<String>, Fault> {
    let interface = Postgrest::new(&deps.egress, &plan.base_url, key.clone())?;
    let newest = interface.newest(watched).await?;
    newest.map(|row| row.time(watched).map(|_| row.at.cursor.clone())).transpose()
}

async fn make(
    deps: &Deps,
    keyring: &Keyring,
    tenant: TenantId,
    plan: Plan,
    key: &SecretString,
    now: Timestamp,
) -> Result<Source> {
    let source = Source {
        tenant,
        base_url: plan.base_url,
        key: keyring.seal(Source::place(&tenant.to_string()), key)?,
        fingerprint: fingerprint(key),
        tables: plan.tables,
        since: to_the_microsecond(plan.since.unwrap_or(now)),
        revision: 1,
        created_at: now,
        updated_at: now,
        due_at: now,
        busy_until: 0,
        marks: Default::default(),
        last_run_at: None,
        last_success_at: None,
        failures: 0,
        failing_since: None,
        fault: None,
    };
    match deps.table.create(&source).await? {
        Created::New => Ok(source),
        Created::Was(_) => Err(Error::conflict("somebody has just set a source; look again")),
    }
}

/// Another project is compared from now on, as a new one is.
async fn change(
    deps: &Deps,
    keyring: &Keyring,
    earlier: Source,
    plan: Plan,
    key: &SecretString,
    now: Timestamp,
) -> Result<Source> {
    let unless_said = if plan.base_url == earlier.base_url { earlier.since } else { now };
    let changed = deps
        .table
        .change(key::source(earlier.tenant))
        .set("base_url", plan.base_url)
        .set("key", keyring.seal(Source::place(&earlier.tenant.to_string()), key)?)
        .set("fingerprint", fingerprint(key))
        .set("tables", plan.tables)
        .set("since", to_the_microsecond(plan.since.unwrap_or(unless_said)))
        .set("updated_at", now)
        .set("due_at", now)
        .index(Some(key::source_due(now)))
        .add("revision", 1)
        .when("revision", earlier.revision)
        .when("created_at", earlier.created_at)
        .send()
        .await?;
    changed.ok_or(Error::Stale)
}
