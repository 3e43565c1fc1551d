//! `GET /api/v1/clients/{id}`: one client, and the version to change it by.

use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Role},
    http::{Call, Reply},
    id::ClientId,
    key,
    table::{Row, Table},
    tenant::Client,
};

use super::shown::{self, ClientView};

/// What reading needs.
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

/// One client of the tenant. Its `ETag` is to be sent as `If-Match` with a change.
///
/// For everybody. People who are limited to a client see that one; every other answers 404.
#[utoipa::path(
    get,
    path = "/api/v1/clients/{id}",
    operation_id = "client_get",
    tag = "platform",
    params(("id" = ClientId, Path, description = "The client")),
    responses((status = 200, description = "The client", body = ClientView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let id: ClientId = call.part("id", Client::KIND)?;
    if person.client.is_some_and(|own| own != id) {
        return Err(Error::NotFound { kind: Client::KIND });
    }

    let client = deps.table.get(key::client(person.tenant, id)).await?;

    Ok(shown::tagged(client, Reply::ok))
}
