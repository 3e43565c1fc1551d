//! Scenarios that somebody tells of: each has a row from then on, mapped or not.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, civil::Date};
use shared::{
    Error, Result,
    id::TenantId,
    key,
    scenario::{Mapped, Scenario},
    table::{Created, Table},
};

use crate::mapping;

/// So many are looked up in one request, and so many written at the same time.
const TOGETHER: usize = 100;
const ABREAST: usize = 8;

/// The ids of scenarios, each with the name that it was told with.
pub type Heard = BTreeMap<String, Option<String>>;

/// Those of them that are known.
pub async fn known<'a>(
    table: &Table,
    tenant: TenantId,
    ids: impl Iterator<Item = &'a String>,
) -> Result<HashMap<String, Scenario>> {
    let keys: Vec<_> = ids.map(|id| key::scenario(tenant, id)).collect();
    let mut known = HashMap::new();
    for some in keys.chunks(TOGETHER) {
        known.extend(table.find_all(some).await?.into_iter().map(|scenario| (scenario.id.clone(), scenario)));
    }
    Ok(known)
}

/// Keeps a row for each of them, over a consistent table, and their names current. Where `first` is given, those that
/// nobody has mapped are mapped so from the start. Doing it again changes nothing.
pub async fn keep(
    table: &Table,
    tenant: TenantId,
    heard: Heard,
    mut known: HashMap<String, Scenario>,
    first: Option<&Mapped>,
    (today, now): (Date, Timestamp),
) -> Result<HashMap<String, Scenario>> {
    let heard: Vec<_> = heard.into_iter().map(|(id, name)| (known.remove(&id), id, name)).collect();
    stream::iter(heard)
        .map(|(scenario, id, name)| async move {
            let scenario = match scenario {
                Some(scenario) => scenario,
                None => begun(table, tenant, id, name.clone(), first, now).await?,
            };
            let scenario = named(table, scenario, name).await?;
            let scenario = match first.filter(|_| scenario.mapping.is_empty()) {
                Some(first) => mapped(table, scenario, first, today, now).await?,
                None => scenario,
            };
            Ok((scenario.id.clone(), scenario))
        })
        .buffer_unordered(ABREAST)
        .try_collect()
        .await
}

/// A new one, or what somebody else has made of it a moment ago.
async fn begun(
    table: &Table,
    tenant: TenantId,
    id: String,
    name: Option<String>,
    first: Option<&Mapped>,
    now: Timestamp,
) -> Result<Scenario> {
    let name = name.unwrap_or_else(|| id.clone());
    let mut scenario = Scenario::heard_of(tenant, id, name, now);
    scenario.mapping.extend(first.cloned());
    match table.create(&scenario).await? {
        Created::New => Ok(scenario),
        Created::Was(earlier) => Ok(*earlier),
    }
}

async fn named(table: &Table, scenario: Scenario, name: Option<String>) -> Result<Scenario> {
    match name.filter(|name| *name != scenario.name) {
        Some(name) => {
            let key = key::scenario(scenario.tenant, &scenario.id);
            let renamed = table.change(key).set("name", name).when_there().send().await?;
            Ok(renamed.unwrap_or(scenario))
        }
        None => Ok(scenario),
    }
}

async fn mapped(table: &Table, scenario: Scenario, first: &Mapped, today: Date, now: Timestamp) -> Result<Scenario> {
    let plan = mapping::Plan { mapping: vec![first.clone()], ..mapping::Plan::of(&scenario) };
    let mapped = mapping::write(table, &scenario, plan, today, now).await?;
    mapped.ok_or_else(|| Error::unavailable("scenario", "somebody else maps it at this moment"))
}
