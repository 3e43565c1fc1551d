//! `PATCH /api/v1/clients/{id}`: another name, another slug.

use serde::{Deserialize, de::DeserializeOwned};
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Fields, Reply},
    id::ClientId,
    key,
    table::{Row, Table},
    tenant::{Client, Slug},
};
use utoipa::ToSchema;

use super::{
    rules,
    shown::{self, ClientView},
};

/// What changing needs.
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

/// What to change; the rest stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = ClientChange)]
pub struct Changes {
    /// 1 to 63 of `a` to `z`, `0` to `9` and `-`; unique in the tenant.
    slug: Option<String>,
    /// What people call it, 1 to 100 characters.
    name: Option<String>,
}

/// Changes a client: whatever is given. Its id stays, and with it all that is known of it. A slug that it gives up is free
/// at once: whoever still sends the old one names nobody, or whoever takes it next.
///
/// For owners. `If-Match` names the version that was seen: 428 without it, 412 where somebody has changed it since; 409
/// where another client of the tenant has the slug.
#[utoipa::path(
    patch,
    path = "/api/v1/clients/{id}",
    operation_id = "client_update",
    tag = "platform",
    params(
        ("id" = ClientId, Path, description = "The client"),
        ("If-Match" = String, Header, description = "The `etag` of the client that was seen"),
    ),
    request_body = Changes,
    responses((status = 200, description = "The client as it is now", body = ClientView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: ClientId = call.part("id", Client::KIND)?;
    let client = deps.table.get(key::client(tenant, id)).await?;
    call.seen()?.includes(&client.etag())?;
    let changes = Changes::read(call.fields()?)?;

    let changed = write(&deps.table, client, changes).await?;

    Ok(shown::tagged(changed, Reply::ok))
}

/// The client, its new slug and the end of its old one are one transaction: no slug is without its client.
async fn write(table: &Table, client: Client, changes: Changes) -> Result<Client> {
    let seen = client.revision;
    let mut changed = Client { revision: seen + 1, ..client.clone() };
    changed.name = changes.name.unwrap_or(changed.name);
    changed.slug = changes.slug.unwrap_or(changed.slug);

    let key = key::client(client.tenant, client.id);
    let change = table.change(key).set("name", &changed.name).set("slug", &changed.slug).set("revision", seen + 1);
    let mut writes = table.transact().change(change.when_there().when_or_missing("revision", seen));
    if changed.slug != client.slug {
        let slug = Slug { tenant: client.tenant, slug: changed.slug.clone(), client: client.id };
        writes = writes.create(&slug).delete(&key::slug(client.tenant, &client.slug));
    }
    if writes.send().await? {
        return Ok(changed);
    }
    match table.find_now(key::slug(client.tenant, &changed.slug)).await? {
        Some(slug) if slug.client != client.id => Err(rules::taken()),
        _ => Err(Error::Stale),
    }
}

impl Changes {
    fn read(mut body: Fields) -> Result<Self> {
        let slug = given(&mut body, "slug");
        let slug = rules::slug(&mut body, slug);
        let name = given(&mut body, "name");
        let name = rules::name(&mut body, name);
        body.build(|| Some(Self { slug, name }))
    }
}

/// A field that can be changed and not removed.
fn given<T: DeserializeOwned>(body: &mut Fields, name: &str) -> Option<T> {
    let change = body.change(name)?;
    if change.is_none() {
        body.fault(name, "cannot be removed");
    }
    change
}
