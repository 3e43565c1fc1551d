//! `GET /api/v1/automation`: the tenant's automations with their status and counts.

use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    cursor::{self, Paging},
    gate::{Gate, Role},
    http::{Call, Reply},
    key,
    secrets::Vault,
    table::{Page, Table},
};

use crate::shown::{self, Shown};

/// What cursors of this list are bound to.
const LIST: &str = "automations";

/// What listing needs.
pub struct Deps {
    /// Who may call.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// The keys that seal cursors.
    pub vault: Vault,
    /// Under which the outside reaches us, if it was given.
    pub public_url: String,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()?, public_url: aws.setting("PUBLIC_URL") })
    }
}

/// One page of automations.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Automations)]
pub struct Listed {
    /// The latest first.
    automations: Vec<Shown>,
    /// Leads to the next page, where there is one.
    next_cursor: Option<String>,
}

/// All automations of the tenant, the latest first, each with its status and the counts of its executions. Executions
/// are counted within a second or so of their acceptance. Not for people who are limited to one client.
#[utoipa::path(
    get,
    path = "/api/v1/automation",
    operation_id = "automation_list",
    tag = "automation",
    params(Paging),
    responses((status = 200, description = "A page of automations", body = Listed))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?.of_whole_tenant()?;
    let mut given = call.parameters();
    let paging = Paging::read(&mut given);
    let Paging { limit, cursor } = given.build(|| Some(paging))?;
    let keyring = deps.vault.keyring().await?;
    let after = cursor.map(|cursor| cursor::read(&keyring, person.tenant, LIST, &cursor, call.now)).transpose()?;

    let page = Page { limit, after, newest_first: true };
    let found = deps.table.list(&key::automations(person.tenant), page).await?;
    let automations = shown::all(&deps.table, &call.public_url(&deps.public_url), &found.rows).await?;

    let next_cursor =
        found.more.map(|after| cursor::write(&keyring, person.tenant, LIST, &after, call.now)).transpose()?;
    Ok(Reply::ok(Listed { automations, next_cursor }))
}
