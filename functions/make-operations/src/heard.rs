//! Scenarios that somebody tells of: each has a row from then on, mapped or not.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, civil::Date};
use shared::{
    Error, Result,
    id::TenantId,
    key,
    scenario::{MOST, Mapped, Scenario},
    table::{Row, Table},
};

use crate::mapping;

/// So many are looked up in one request, and so many written at the same time.
const TOGETHER: usize = 100;
const ABREAST: usize = 8;
/// How often new ones are written that others write at the same time.
const TRIES: u32 = 12;

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
/// nobody has mapped are mapped so from the start. Doing it again changes nothing. A conflict where there is no room for
/// all that are new.
pub async fn keep(
    table: &Table,
    tenant: TenantId,
    heard: Heard,
    mut known: HashMap<String, Scenario>,
    first: Option<&Mapped>,
    (today, now): (Date, Timestamp),
) -> Result<HashMap<String, Scenario>> {
    let begun = |(id, name): (&String, &Option<String>)| {
        let name = name.clone().unwrap_or_else(|| id.clone());
        let mapping = first.cloned().into_iter().collect();
        Scenario { mapping, ..Scenario::heard_of(tenant, id.clone(), name, now) }
    };
    let new: Vec<_> = heard.iter().filter(|(id, _)| !known.contains_key(*id)).map(begun).collect();
    let Begun { made, were } = begin(table, tenant, &new).await?;
    known.extend(made.into_iter().chain(were).map(|scenario| (scenario.id.clone(), scenario)));
    let heard: Vec<_> = heard.into_iter().filter_map(|(id, name)| Some((known.remove(&id)?, name))).collect();
    stream::iter(heard)
        .map(|(scenario, name)| async move {
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

/// What became of scenarios that nobody had heard of.
#[derive(Default)]
pub struct Begun {
    /// They have a row now.
    pub made: Vec<Scenario>,
    /// Somebody else has made them a moment ago: as they are stored.
    pub were: Vec<Scenario>,
}

/// Makes a row for each of them, none of which comes twice, over a consistent table, and counts them: they are never more
/// than [`MOST`]. A conflict where there is no room for all of them.
pub async fn begin(table: &Table, tenant: TenantId, new: &[Scenario]) -> Result<Begun> {
    let mut begun = Begun::default();
    // One write of a transaction is the count.
    for some in new.chunks(TOGETHER - 1) {
        let more = together(table, tenant, some).await?;
        begun.made.extend(more.made);
        begun.were.extend(more.were);
    }
    Ok(begun)
}

async fn together(table: &Table, tenant: TenantId, some: &[Scenario]) -> Result<Begun> {
    let keys: Vec<_> = some.iter().map(Row::key).collect();
    let mut were: Vec<Scenario> = Vec::new();
    let mut last = Error::unavailable("table", "others list the same scenarios all the time");
    for attempt in 0..TRIES {
        let made: Vec<Scenario> = some.iter().filter(|new| were.iter().all(|one| one.id != new.id)).cloned().collect();
        if made.is_empty() {
            return Ok(Begun { made, were });
        }
        let count = table.change(key::scenario_count(tenant)).or_new().set("tenant", tenant);
        let room = MOST.saturating_sub(made.len());
        let count = count.add("scenarios", made.len()).when_at_most_or_missing("scenarios", room);
        match made.iter().fold(table.transact().change(count), |writes, one| writes.create(one)).send().await {
            Ok(true) => return Ok(Begun { made, were }),
            Ok(false) => {}
            // Two writes met, or the answer was lost: what is stored tells.
            Err(error) if error.is_transient() => last = error,
            Err(error) => return Err(error),
        }
        let known = were.len();
        were = table.find_all(&keys).await?;
        let count = table.find(key::scenario_count(tenant)).await?.map_or(0, |count| count.scenarios);
        if were.len() == known && count > room {
            return Err(Error::conflict("there are 20,000 scenarios, and no more of them are listed"));
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(1..=20 * u64::from(attempt + 1)))).await;
    }
    Err(last)
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
