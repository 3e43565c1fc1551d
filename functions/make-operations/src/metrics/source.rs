//! Whose usage a person may see: each source is one partition of the table.

use shared::{
    Error, Result,
    gate::{Person, Role},
    id::{ClientId, TenantId},
    key,
    scenario::Owner,
    table::{Row, Table},
    tenant::{Client, is_slug},
};

use super::question::{Question, Wanted};

/// A client, the company, or what is mapped to nobody yet.
pub struct Source {
    /// Which of the three.
    pub owner: Owner,
    /// Its slug.
    pub slug: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

impl From<Client> for Source {
    fn from(client: Client) -> Self {
        Self { owner: Owner::Client(client.id), slug: Some(client.slug), name: Some(client.name) }
    }
}

const OURS: [Source; 2] = [
    Source { owner: Owner::Company, slug: None, name: None },
    Source { owner: Owner::Unmapped, slug: None, name: None },
];

/// What the person asks for and may see. A client that is not its own answers like one that does not exist.
pub async fn all(table: &Table, person: &Person, question: &Question) -> Result<Vec<Source>> {
    let wanted = match &question.client {
        Some(wanted) => Some(named(table, person.tenant, wanted).await?),
        None => None,
    };
    match (person.client, wanted) {
        (Some(own), Some(wanted)) if own != wanted => Err(unknown()),
        (Some(one), _) | (None, Some(one)) => {
            let client = table.find(key::client(person.tenant, one)).await?.ok_or_else(unknown)?;
            Ok(vec![client.into()])
        }
        (None, None) => {
            let ours = OURS.into_iter().filter(|_| person.role >= Role::Supervisor);
            let clients = table.list_all(&key::clients(person.tenant)).await?;
            Ok(ours.chain(clients.into_iter().map(Source::from)).collect())
        }
    }
}

async fn named(table: &Table, tenant: TenantId, wanted: &Wanted) -> Result<ClientId> {
    match wanted {
        Wanted::Id(id) => id.parse().map_err(|_| unknown()),
        Wanted::Slug(slug) if is_slug(slug) => {
            let slug = table.find(key::slug(tenant, slug)).await?.ok_or_else(unknown)?;
            Ok(slug.client)
        }
        Wanted::Slug(_) => Err(unknown()),
    }
}

fn unknown() -> Error {
    Error::NotFound { kind: Client::KIND }
}
