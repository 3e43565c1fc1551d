//! Whose usage is asked for, and may be seen.

use shared::{
    Error, Result,
    gate::{Person, Role},
    http::Fields,
    id::ClientId,
    key,
    scenario::Owner,
    table::{Row, Table},
    tenant::{Client, is_slug},
};

/// Whom the caller names.
pub enum Named {
    /// By id, or `company`.
    Id(String),
    /// By slug.
    Slug(String),
}

/// Reads `client_id` and `client_slug`.
pub fn read(given: &mut Fields) -> Option<Named> {
    match (given.optional("client_id"), given.optional("client_slug")) {
        (Some(_), Some(_)) => {
            given.fault("client_slug", "stands in place of client_id: give one of the two");
            None
        }
        (Some(id), None) => Some(Named::Id(id)),
        (None, slug) => slug.map(Named::Slug),
    }
}

/// Whose usage an answer is of.
pub struct Whose {
    /// Each of them.
    pub owners: Vec<Owner>,
    /// The one that was asked for, or that the person is limited to.
    pub one: Option<Owner>,
    /// Whether these are all that the tenant has.
    pub is_all: bool,
}

impl Whose {
    /// What is asked for. What the person may not see answers like what does not exist.
    pub async fn find(table: &Table, person: &Person, named: Option<Named>) -> Result<Self> {
        let wanted = match named {
            Some(Named::Id(word)) if word == "company" => Some(Owner::Company),
            Some(Named::Id(id)) => Some(Owner::Client(id.parse().map_err(|_| unknown())?)),
            Some(Named::Slug(slug)) => Some(Owner::Client(by_slug(table, person, &slug).await?)),
            None => person.client.map(Owner::Client),
        };
        match wanted {
            Some(owner) if person.client.is_some_and(|own| owner != Owner::Client(own)) => Err(unknown()),
            Some(Owner::Client(client)) => {
                table.find(key::client(person.tenant, client)).await?.ok_or_else(unknown)?;
                Ok(Self::one(Owner::Client(client)))
            }
            Some(_) if person.role < Role::Supervisor => Err(unknown()),
            Some(owner) => Ok(Self::one(owner)),
            None => {
                let is_all = person.role >= Role::Supervisor;
                let ours = [Owner::Company, Owner::Unmapped].into_iter().filter(|_| is_all);
                let clients = table.list_all(&key::clients(person.tenant)).await?;
                let clients = clients.into_iter().map(|client| Owner::Client(client.id));
                Ok(Self { owners: ours.chain(clients).collect(), one: None, is_all })
            }
        }
    }

    fn one(owner: Owner) -> Self {
        Self { owners: vec![owner], one: Some(owner), is_all: false }
    }
}

async fn by_slug(table: &Table, person: &Person, slug: &str) -> Result<ClientId> {
    if !is_slug(slug) {
        return Err(unknown());
    }
    Ok(table.find(key::slug(person.tenant, slug)).await?.ok_or_else(unknown)?.client)
}

fn unknown() -> Error {
    Error::NotFound { kind: Client::KIND }
}
