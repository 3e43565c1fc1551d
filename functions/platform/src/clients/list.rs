//! `GET /api/v1/clients`: the tenant's clients, or the one that has a slug.

use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    cursor,
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    key,
    secrets::Vault,
    table::{Page, Table},
    tenant::{Client, is_slug},
};
use utoipa::ToSchema;

use super::shown::ClientView;

/// What a cursor is bound to besides its tenant.
const LIST: &str = "clients";

/// What listing needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that authenticate cursors.
    pub vault: Vault,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()? })
    }
}

/// A page of clients.
#[derive(Serialize, ToSchema)]
pub struct Clients {
    /// Oldest first.
    clients: Vec<ClientView>,
    /// Goes on from here; null at the end.
    next_cursor: Option<String>,
}

/// Which clients.
struct Wanted {
    slug: Option<String>,
    limit: u16,
    cursor: Option<String>,
}

/// The clients of the tenant, oldest first. With `slug`, the one that has it; where none has, the list is empty.
///
/// For everybody. People who are limited to a client see that one alone.
#[utoipa::path(
    get,
    path = "/api/v1/clients",
    operation_id = "client_list",
    tag = "platform",
    params(
        ("slug" = Option<String>, Query, description = "Only the client with this slug: exactly, as it is stored"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 100, description = "At most so many, 1 to 100; 25 unless given"),
        ("cursor" = Option<String>, Query, description = "Where an earlier page ended: its `next_cursor`"),
    ),
    responses((status = 200, description = "A page of clients", body = Clients))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let wanted = Wanted::read(&call)?;

    let (clients, next_cursor) = match (person.client, &wanted.slug) {
        (Some(own), slug) => {
            let client = deps.table.find_now(key::client(person.tenant, own)).await?;
            (client.into_iter().filter(|client| slug.as_ref().is_none_or(|slug| client.slug == *slug)).collect(), None)
        }
        (None, Some(slug)) => (by_slug(&deps.table, &person, slug).await?, None),
        (None, None) => page(deps, &call, &person, &wanted).await?,
    };

    Ok(Reply::ok(Clients { clients: clients.into_iter().map(Into::into).collect(), next_cursor }))
}

async fn by_slug(table: &Table, person: &Person, slug: &str) -> Result<Vec<Client>> {
    if !is_slug(slug) {
        return Ok(Vec::new());
    }
    let Some(held) = table.find_now(key::slug(person.tenant, slug)).await? else {
        return Ok(Vec::new());
    };
    let client = table.find_now(key::client(person.tenant, held.client)).await?;
    // It may have been given up in between.
    Ok(client.into_iter().filter(|client| client.slug == slug).collect())
}

async fn page(deps: &Deps, call: &Call, person: &Person, wanted: &Wanted) -> Result<(Vec<Client>, Option<String>)> {
    let keyring = deps.vault.keyring().await?;
    let after = match &wanted.cursor {
        Some(cursor) => Some(cursor::read(&keyring, person.tenant, LIST, cursor, call.now)?),
        None => None,
    };
    let page = Page { limit: wanted.limit, after, newest_first: false };
    let found = deps.table.list(&key::clients(person.tenant), page).await?;
    let write = |after: String| cursor::write(&keyring, person.tenant, LIST, &after, call.now);
    Ok((found.rows, found.more.map(write).transpose()?))
}

impl Wanted {
    fn read(call: &Call) -> Result<Self> {
        let mut given = call.parameters();
        let slug = given.optional("slug");
        let limit = given.parsed::<u16>("limit").unwrap_or(25);
        if !(1..=100).contains(&limit) {
            given.fault("limit", "must be from 1 to 100");
        }
        let cursor = given.optional("cursor");
        given.build(|| Some(Self { slug, limit, cursor }))
    }
}
