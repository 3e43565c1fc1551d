//! `GET /api/v1/crm-integration/providers`: the CRMs that can be connected.

use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    connection::Provider,
    gate::{Gate, Role},
    http::{Call, Reply},
    key,
    secrets::Vault,
    table::Table,
};
use utoipa::ToSchema;

use crate::app;

/// What listing them needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Our apps with the CRMs.
    pub vault: Vault,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()? })
    }
}

/// A CRM.
#[derive(Serialize, ToSchema)]
pub struct ProviderView {
    /// The word for it in all other calls.
    id: Provider,
    /// What people call it.
    name: &'static str,
    /// Whether the platform has an app with it: without one nobody can connect it.
    configured: bool,
    /// Whether this tenant has connected it.
    connected: bool,
}

/// The CRMs, always all of them and in the same order: whether each can be connected, and whether it is.
#[utoipa::path(
    get,
    path = "/api/v1/crm-integration/providers",
    operation_id = "crm_providers",
    tag = "crm",
    responses((status = 200, description = "The CRMs", body = Vec<ProviderView>))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;

    let platform = deps.vault.platform().await?;
    let connections = deps.table.list_all(&key::connections(person.tenant)).await?;

    let all = Provider::ALL.map(|provider| ProviderView {
        id: provider,
        name: provider.name(),
        configured: app(&platform, provider).is_some(),
        connected: connections.iter().any(|connection| connection.provider == provider),
    });
    Ok(Reply::ok(all))
}
