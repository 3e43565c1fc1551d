//! The clients that callers name, looked up together.

use std::collections::{BTreeSet, HashMap};

use shared::{
    Fault, Result,
    id::{ClientId, TenantId},
    key,
    table::Table,
    tenant::is_slug,
};

/// A client, as a caller names it. Nothing given means the company.
#[derive(Default)]
pub struct Named {
    /// By id.
    pub id: Option<String>,
    /// By slug.
    pub slug: Option<String>,
}

impl Named {
    /// Whether a client is named at all.
    pub fn is_given(&self) -> bool {
        self.id.is_some() || self.slug.is_some()
    }
}

/// The clients of the tenant that are named.
pub struct Clients {
    ids: BTreeSet<ClientId>,
    slugs: HashMap<String, ClientId>,
}

impl Clients {
    /// Looks up all that are named, each once.
    pub async fn find<'a>(
        table: &Table,
        tenant: TenantId,
        named: impl Iterator<Item = &'a Named> + Clone,
    ) -> Result<Self> {
        let ids: BTreeSet<ClientId> = named.clone().filter_map(|named| named.id.as_deref()?.parse().ok()).collect();
        let slugs: BTreeSet<&str> =
            named.filter_map(|named| named.slug.as_deref()).filter(|slug| is_slug(slug)).collect();

        let ids = table.find_all(&ids.into_iter().map(|id| key::client(tenant, id)).collect::<Vec<_>>()).await?;
        let slugs = table.find_all(&slugs.into_iter().map(|slug| key::slug(tenant, slug)).collect::<Vec<_>>()).await?;
        Ok(Self {
            ids: ids.into_iter().map(|client| client.id).collect(),
            slugs: slugs.into_iter().map(|slug| (slug.slug, slug.client)).collect(),
        })
    }

    /// The client that is named at a JSON pointer, or that none is; nothing where a fault was noted.
    pub fn resolve(&self, named: &Named, at: &str, faults: &mut Vec<Fault>) -> Option<Option<ClientId>> {
        let before = faults.len();
        let id = named.id.as_ref().map(|text| text.parse().ok().filter(|id| self.ids.contains(id)));
        let slug = named.slug.as_ref().map(|slug| self.slugs.get(slug).copied());
        if id == Some(None) {
            faults.push(Fault::at(format!("{at}/client_id"), "is not a client of this tenant"));
        }
        if slug == Some(None) {
            faults.push(Fault::at(format!("{at}/client_slug"), "is not the slug of a client of this tenant"));
        }
        let (id, slug) = (id.flatten(), slug.flatten());
        if id.is_some() && slug.is_some() && id != slug {
            faults.push(Fault::at(format!("{at}/client_slug"), "is the slug of another client than client_id"));
        }
        (faults.len() == before).then_some(id.or(slug))
    }
}
