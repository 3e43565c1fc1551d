//! A tenant: the company that uses the product; and its clients.

use jiff::{Timestamp, tz::TimeZone};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    id::{ClientId, TenantId},
    key::{self, Index, Key},
    table::{Listed, Row, Table},
};

/// A company that uses the product.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// Its IANA time zone: days and weeks are cut in it.
    pub time_zone: Zone,
    /// When it began.
    pub created_at: Timestamp,
}

impl Row for Tenant {
    const KIND: &'static str = "tenant";

    fn key(&self) -> Key<Self> {
        key::tenant(self.id)
    }

    fn index(&self) -> Option<Index> {
        Some(key::tenants(self.id))
    }
}

/// Tenants that are listed at a time.
const PAGE: u16 = 100;

/// Every tenant, in any order: where somebody has no time for all, it is not always the same who wait.
pub async fn all(table: &Table) -> Result<Vec<TenantId>> {
    let mut all = Vec::new();
    let mut page: Vec<Listed> = Vec::new();
    loop {
        page = table.list_index_after(&key::all_tenants(), page.last(), PAGE).await?;
        all.extend(page.iter().filter_map(Listed::tenant));
        if page.len() < usize::from(PAGE) {
            break;
        }
    }
    all.shuffle(&mut rand::rng());
    Ok(all)
}

/// An IANA time zone that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The rules of this zone.
    pub fn rules(&self) -> &TimeZone {
        &self.0
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        TimeZone::get(&name).map(Self).map_err(|_| format!("`{name}` is not an IANA time zone"))
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.0.iana_name().unwrap_or("UTC").into()
    }
}

/// A tenant's own customer or subaccount.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Client {
    /// Whose client it is.
    pub tenant: TenantId,
    /// Its id.
    pub id: ClientId,
    /// Unique in the tenant.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// When it began.
    pub created_at: Timestamp,
    /// Grows with each change.
    #[serde(default)]
    pub revision: u32,
}

impl Row for Client {
    const KIND: &'static str = "client";

    fn key(&self) -> Key<Self> {
        key::client(self.tenant, self.id)
    }
}

impl Client {
    /// Its version, as HTTP compares them.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.revision)
    }
}

/// Holds a slug for one client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slug {
    /// Whose.
    pub tenant: TenantId,
    /// The slug.
    pub slug: String,
    /// The client that has it.
    pub client: ClientId,
}

impl Row for Slug {
    const KIND: &'static str = "slug";

    fn key(&self) -> Key<Self> {
        key::slug(self.tenant, &self.slug)
    }
}

/// A tenant's time zone. A tenant that has none lives in UTC.
pub async fn zone(table: &Table, tenant: TenantId) -> Result<Zone> {
    Ok(table.find(key::tenant(tenant)).await?.map_or(Zone::UTC, |tenant| tenant.time_zone))
}

/// Whether a text can be a slug: 1 to 63 of a to z, 0 to 9 and `-`.
pub fn is_slug(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(plain)
}
