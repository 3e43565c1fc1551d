//! `DELETE /api/v1/crm-integration`: disconnects a CRM.

use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    connection::{Connection, Provider},
    egress::Egress,
    gate::{Gate, Role},
    http::{Call, Reply},
    key,
    secrets::Vault,
    table::Table,
};
use utoipa::ToSchema;

use crate::{
    app,
    ask::{self, Door},
    failure::Failure,
    vendor::Vendor,
};

/// What ending it needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Our apps with the CRMs, and the keys that seal.
    pub vault: Vault,
    /// The way to the CRMs.
    pub egress: Egress,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()?, egress: aws.egress()? })
    }
}

/// What was ended.
#[derive(Serialize, ToSchema)]
pub struct Disconnected {
    /// Which CRM; null where none was connected.
    provider: Option<Provider>,
    /// Whether there was a connection to end. There is none now.
    disconnected: bool,
    /// Whether the CRM has confirmed that our access is over. Where not, its administrator can end it there; Dynamics
    /// 365 has no other way.
    revoked: bool,
}

/// Disconnects a CRM: our access is revoked there, as far as the CRM allows and answers, and our copy is deleted.
///
/// For owners. `provider` may be left out while only one is connected. Doing it again answers 200 as well. With
/// `If-Match`, 412 if the connection is not the one that was seen.
#[utoipa::path(
    delete,
    path = "/api/v1/crm-integration",
    operation_id = "crm_integration_delete",
    tag = "crm",
    params(
        ("provider" = Option<Provider>, Query, description = "Which CRM"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the connection that was seen"),
    ),
    responses((status = 200, description = "It is not connected now", body = Disconnected))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let mut parameters = call.parameters();
    let wanted: Option<Provider> = parameters.parsed("provider");
    let wanted = parameters.build(|| Some(wanted))?;

    let mut found = deps.table.list_all(&key::connections(person.tenant)).await?;
    found.retain(|connection| wanted.is_none_or(|wanted| connection.provider == wanted));
    if found.len() > 1 {
        return Err(Error::invalid("?provider", "must say which: several CRMs are connected"));
    }
    let connection = found.pop();
    if_match(&call, connection.as_ref())?;
    let revoked = match &connection {
        Some(connection) => end(deps, connection).await?,
        None => false,
    };

    Ok(Reply::ok(Disconnected {
        provider: connection.as_ref().map(|connection| connection.provider).or(wanted),
        disconnected: connection.is_some(),
        revoked,
    }))
}

fn if_match(call: &Call, connection: Option<&Connection>) -> Result<()> {
    let Some(seen) = call.term("if-match")? else {
        return Ok(());
    };
    let etag = connection.map(Connection::etag);
    let fits = etag.is_some_and(|etag| seen.split(',').any(|one| one.trim() == "*" || one.trim() == etag));
    if fits { Ok(()) } else { Err(Error::Stale) }
}

/// Revokes first: killed in between, the row still knows what there is to revoke when the call comes again.
async fn end(deps: &Deps, connection: &Connection) -> Result<bool> {
    let revoked = match revoke(deps, connection).await {
        Ok(revoked) => revoked,
        Err(failure) => {
            failure.log();
            false
        }
    };
    let place = key::connection(connection.tenant, connection.provider);
    let deleted = deps.table.delete_seen(place.clone(), "version", connection.version).await?;
    if !deleted && deps.table.find_now(place).await?.is_some() {
        return Err(Error::conflict("the CRM has just been connected anew; look again"));
    }
    Ok(revoked)
}

async fn revoke(deps: &Deps, connection: &Connection) -> Result<bool, Failure> {
    let platform = deps.vault.platform().await?;
    let app = app(&platform, connection.provider).ok_or_else(|| Failure::NotSetUp("no app".into()))?;
    let (tenant, owner) = (connection.tenant.to_string(), connection.id.to_string());
    let token =
        platform.keyring.open(Connection::place(&tenant, &owner, "refresh_token"), &connection.refresh_token)?;
    let door = Door {
        vendor: Vendor::of(connection.provider),
        login_host: connection.login_host.clone(),
        app,
        egress: &deps.egress,
    };
    ask::revoke(&door, &token).await
}
