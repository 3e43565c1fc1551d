//! `GET /api/v1/crm-integration`: the CRM that a tenant has connected.

use http::header;
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    connection::{Connection, Provider, Status},
    gate::{Gate, Role},
    http::{Call, Reply},
    id::ConnectionId,
    key,
    table::{Row, Table},
};
use utoipa::ToSchema;

/// What showing it needs.
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

/// A connection as people see it. Tokens are never shown.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    /// Its id. Another account at the CRM is another connection.
    #[serde(rename = "_id")]
    id: ConnectionId,
    /// Which CRM.
    provider: Provider,
    /// What people call that.
    name: &'static str,
    /// How it is.
    status: Status,
    /// Who is connected.
    account_info: AccountView,
    /// What we hold.
    tokens: TokensView,
    /// What the CRM lets us do, in its own words.
    scopes: Vec<String>,
    /// When it was connected.
    #[schema(value_type = String, format = DateTime)]
    connected_at: Timestamp,
    /// Its version, for `If-Match`.
    etag: String,
}

/// Who is connected.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// The person's name; HubSpot tells none and has its account's domain here.
    account_name: Option<String>,
    /// The person's e-mail address.
    account_email: Option<String>,
    /// The organisation's name.
    company_name: Option<String>,
    /// The organisation's id with the CRM.
    external_id: String,
}

/// What we hold.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokensView {
    /// Always, while it is connected.
    has_access_token: bool,
    /// Always, while it is connected: nothing without lasting access is stored.
    has_refresh_token: bool,
    /// When the access token ends; null for Salesforce, which does not say.
    #[schema(value_type = Option<String>, format = DateTime)]
    token_expiry: Option<Timestamp>,
}

/// One connection, and all of them.
#[derive(Serialize, ToSchema)]
pub struct Integration {
    #[serde(flatten)]
    chosen: ConnectionView,
    /// All connections of the tenant, one a CRM at most, newest first.
    connections: Vec<ConnectionView>,
}

impl From<&Connection> for ConnectionView {
    fn from(connection: &Connection) -> Self {
        let account = connection.account.clone();
        Self {
            id: connection.id,
            provider: connection.provider,
            name: connection.provider.name(),
            status: connection.status,
            account_info: AccountView {
                account_name: account.name,
                account_email: account.email,
                company_name: account.company,
                external_id: account.external_id,
            },
            tokens: TokensView {
                has_access_token: true,
                has_refresh_token: true,
                token_expiry: connection.access_expires_at,
            },
            scopes: connection.scopes.clone(),
            connected_at: connection.connected_at,
            etag: connection.etag(),
        }
    }
}

/// The connected CRM: the one that `provider` names, or else the newest; and the list of all.
///
/// For every role, unless it is limited to one client. 404 where there is none. The `ETag` is that of the connection
/// shown, to be given to `DELETE` as `If-Match`.
#[utoipa::path(
    get,
    path = "/api/v1/crm-integration",
    operation_id = "crm_integration_get",
    tag = "crm",
    params(("provider" = Option<Provider>, Query, description = "Which CRM")),
    responses((status = 200, description = "The connection", body = Integration))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?.of_whole_tenant()?;
    let mut parameters = call.parameters();
    let wanted: Option<Provider> = parameters.parsed("provider");
    let wanted = parameters.build(|| Some(wanted))?;

    let mut all = deps.table.list_all(&key::connections(person.tenant)).await?;
    all.sort_by_key(|connection| std::cmp::Reverse(connection.connected_at));
    let chosen = all
        .iter()
        .find(|connection| wanted.is_none_or(|wanted| connection.provider == wanted))
        .ok_or(Error::NotFound { kind: Connection::KIND })?;

    let etag = chosen.etag();
    let integration = Integration { chosen: chosen.into(), connections: all.iter().map(Into::into).collect() };
    Ok(Reply::ok(integration).header(header::ETAG, etag))
}
