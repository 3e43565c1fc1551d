//! `POST /api/v1/clients`: a new client of the tenant.

use serde::Deserialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::{ClientId, TenantId},
    idempotency, key,
    table::{Page, Table},
    tenant::{Client, Slug},
};
use utoipa::ToSchema;

use super::{
    rules,
    shown::{self, ClientView},
};

/// The most clients of a tenant.
const MOST: u16 = 1_000;

/// What making one needs.
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

/// A client to make.
#[derive(Deserialize, ToSchema)]
pub struct NewClient {
    /// 1 to 63 of `a` to `z`, `0` to `9` and `-`; unique in the tenant.
    #[schema(example = "harbour-inn")]
    slug: String,
    /// What people call it, 1 to 100 characters.
    #[schema(example = "Harbour Inn")]
    name: String,
}

/// Makes a client. Usage and scenarios may name it from then on, by its id or by its slug.
///
/// For owners. 409 where another client of the tenant has the slug, and where it has 1,000 clients.
#[utoipa::path(
    post,
    path = "/api/v1/clients",
    operation_id = "client_create",
    tag = "platform",
    request_body = NewClient,
    responses((status = 201, description = "It was made", body = ClientView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, subject, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;

    idempotency::once(&deps.table, &call, tenant, &subject, async || make(&deps.table, tenant, &call).await).await
}

/// Client and slug are stored together, so no slug is ever without its client.
async fn make(table: &Table, tenant: TenantId, call: &Call) -> Result<Reply> {
    let new = NewClient::read(call)?;
    has_room(table, tenant).await?;
    let id = ClientId::new();
    let client = Client { tenant, id, slug: new.slug, name: new.name, created_at: call.now, revision: 0 };
    let slug = Slug { tenant, slug: client.slug.clone(), client: id };
    if !table.transact().create(&client).create(&slug).send().await? {
        return Err(rules::taken());
    }
    Ok(shown::tagged(client, Reply::created))
}

/// What folds and shows usage goes through all clients of a tenant.
async fn has_room(table: &Table, tenant: TenantId) -> Result<()> {
    let found = table.list(&key::clients(tenant), Page::first(MOST)).await?;
    if found.rows.len() < usize::from(MOST) && found.more.is_none() {
        return Ok(());
    }
    Err(Error::conflict("a tenant has 1,000 clients at most"))
}

impl NewClient {
    fn read(call: &Call) -> Result<Self> {
        let mut body = call.fields()?;
        let slug = body.required("slug");
        let slug = rules::slug(&mut body, slug);
        let name = body.required("name");
        let name = rules::name(&mut body, name);
        body.build(|| Some(Self { slug: slug?, name: name? }))
    }
}
