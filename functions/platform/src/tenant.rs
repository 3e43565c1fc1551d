//! Invoked by an operator: begins a tenant, with its first API key and its clients.

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::{
    Error, Result,
    apikey::{ApiKey, Scope},
    id::{ClientId, TenantId},
    table::Table,
    tenant::{Client, Slug, Tenant, Zone, is_slug},
};

/// The most that fits into one transaction beside the tenant and its key.
const MOST_CLIENTS: usize = 40;

/// A tenant to begin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    name: String,
    time_zone: Zone,
    #[serde(default = "first_key")]
    key_name: String,
    #[serde(default)]
    clients: Vec<NewClient>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClient {
    slug: String,
    name: String,
}

fn first_key() -> String {
    "first".into()
}

/// The tenant that was begun. The key is shown here and never again.
#[derive(Serialize)]
pub struct Begun {
    /// Its id.
    pub tenant_id: TenantId,
    /// Its first API key, with every scope.
    pub api_key: String,
    /// Its clients.
    pub clients: Vec<BegunClient>,
}

/// One of its clients.
#[derive(Serialize)]
pub struct BegunClient {
    /// Its id.
    pub client_id: ClientId,
    /// Its slug.
    pub slug: String,
}

/// Stores tenant, key and clients together or not at all.
pub async fn handle(table: &Table, new: NewTenant) -> Result<Begun> {
    check(&new)?;
    let now = Timestamp::now();
    let tenant = Tenant { id: TenantId::new(), name: new.name, time_zone: new.time_zone, created_at: now };
    let (key, shown) = ApiKey::issue(tenant.id, new.key_name, Scope::ALL.into(), now, None);
    let clients: Vec<Client> = new
        .clients
        .into_iter()
        .map(|client| Client {
            tenant: tenant.id,
            id: ClientId::new(),
            slug: client.slug,
            name: client.name,
            created_at: now,
            revision: 0,
        })
        .collect();

    let mut writes = table.transact().create(&tenant).create(&key);
    for client in &clients {
        writes =
            writes.create(client).create(&Slug { tenant: tenant.id, slug: client.slug.clone(), client: client.id });
    }
    if !writes.send().await? {
        return Err(Error::conflict("a part of the tenant exists already; invoke it again"));
    }

    Ok(Begun {
        tenant_id: tenant.id,
        api_key: shown.expose_secret().into(),
        clients: clients.into_iter().map(|client| BegunClient { client_id: client.id, slug: client.slug }).collect(),
    })
}

fn check(new: &NewTenant) -> Result<()> {
    if new.name.trim().is_empty() {
        return Err(Error::invalid("/name", "must not be empty"));
    }
    if new.clients.len() > MOST_CLIENTS {
        return Err(Error::invalid("/clients", format!("at most {MOST_CLIENTS} to begin with")));
    }
    for (at, client) in new.clients.iter().enumerate() {
        if !is_slug(&client.slug) {
            return Err(Error::invalid(format!("/clients/{at}/slug"), "1 to 63 of a to z, 0 to 9 and -"));
        }
        if new.clients[..at].iter().any(|other| other.slug == client.slug) {
            return Err(Error::invalid(format!("/clients/{at}/slug"), "is there twice"));
        }
    }
    Ok(())
}
