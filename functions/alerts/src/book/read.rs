//! Reading what is known: as much as is asked for, and never more than is bounded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{ToSpan, civil::Date};
use shared::{
    Error, Result,
    alert::{Kind, Scope},
    id::TenantId,
    key,
    run::RunDay,
    scenario::{Owner, Scenario},
    sheet::{DayTotal, Sheet},
    table::{Page, Table},
    tenant::{Client, Zone},
};

use super::{Book, Days};
use crate::moment::Hours;

/// So many reads go on at the same time.
const ABREAST: usize = 8;
/// So many days of scenarios are read at most.
const MOST: usize = 20_000;
/// So many keys a request.
const BATCH: usize = 100;
/// What a scenario did before is judged by so many days.
pub const PAST: i32 = 28;

/// How much is read: days from one to another, both included.
#[derive(Default)]
pub struct Reach {
    /// What scenarios did by day.
    sheets: Option<(Date, Date)>,
    /// What owners' scenarios come to.
    totals: Option<(Date, Date)>,
    /// Runs by the hour.
    runs: Vec<(Date, Date)>,
    /// Whether it is about the present: how the pull goes counts.
    now: bool,
}

fn back(date: Date, days: i32) -> Date {
    date.saturating_sub(days.days())
}

fn days(from: Date, to: Date) -> impl Iterator<Item = Date> {
    from.series(1.day()).take_while(move |date| *date <= to)
}

impl Reach {
    /// What every rule of a tenant needs to be judged now.
    pub fn present(today: Date) -> Self {
        let yesterday = back(today, 1);
        Self {
            sheets: Some((back(today, PAST), today)),
            totals: Some((back(today, 57), today)),
            runs: (0..=4).map(|weeks| (back(yesterday, 7 * weeks), back(today, 7 * weeks))).collect(),
            now: true,
        }
    }

    /// What rules of a kind need to be judged in each hour from a day on.
    pub fn past(kind: Kind, from: Date, today: Date) -> Self {
        let since = |days| Some((back(from, days), today));
        let runs = |days| vec![(back(from, days), today)];
        match kind {
            Kind::ErrorRate | Kind::Limit => Self { sheets: since(1), runs: runs(1), ..Self::default() },
            Kind::ScenarioStatus => Self { sheets: since(PAST), ..Self::default() },
            Kind::CostSpike => Self { totals: since(57), ..Self::default() },
            Kind::MissingSync => Self { sheets: since(9), ..Self::default() },
            Kind::Silence => Self { sheets: since(PAST), runs: runs(29), ..Self::default() },
            Kind::EmptySuccess => Self { sheets: since(PAST + 1), runs: runs(1), ..Self::default() },
        }
    }
}

impl Book {
    /// Reads what is known of what a scope holds. 400 where that is too much.
    pub async fn read(
        table: &Table,
        tenant: TenantId,
        zone: Zone,
        today: Date,
        scope: &Scope,
        reach: Reach,
    ) -> Result<Self> {
        let scenarios: Vec<Scenario> = match scope {
            Scope::Scenario(id) => table.find(key::scenario(tenant, id)).await?.into_iter().collect(),
            Scope::Tenant | Scope::Client(_) => table.list_all(&key::scenarios(tenant)).await?,
        };
        let clients: Vec<Client> = table.list_all(&key::clients(tenant)).await?;
        let owners = owners(scope, &scenarios, &clients);
        let dates = reach.runs.iter().flat_map(|(from, to)| days(*from, *to));
        let mut book = Self {
            hours: dates.map(|date| (date, Hours::of(&zone, date))).collect(),
            zone,
            scenarios: scenarios.into_iter().map(|scenario| (scenario.id.clone(), scenario)).collect(),
            known: BTreeMap::new(),
            ran: HashMap::new(),
            owners: owners.iter().map(|owner| (*owner, Days::default())).collect(),
            clients: clients.into_iter().map(|client| (client.id, client.name)).collect(),
            rates: Default::default(),
            pull: None,
        };
        if let Some((from, to)) = reach.sheets {
            let sheets = stream::iter(owners.clone());
            let sheets = sheets.map(|owner| async move { table.list_all(&key::sheets(tenant, owner, from, to)).await });
            let mut sheets: Vec<Sheet> =
                sheets.buffered(ABREAST).try_collect::<Vec<_>>().await?.into_iter().flatten().collect();
            sheets.sort_by_key(|sheet| sheet.date);
            sheets.into_iter().for_each(|sheet| book.take(sheet));
        }
        if let Some((from, to)) = reach.totals {
            book.rates = table.list_all(&key::rates(tenant)).await?.into();
            let totals = stream::iter(owners);
            let totals =
                totals.map(|owner| async move { table.list_all(&key::day_totals(tenant, owner, from, to)).await });
            for total in totals.buffered(ABREAST).try_collect::<Vec<Vec<DayTotal>>>().await?.into_iter().flatten() {
                book.owners.entry(total.owner).or_default().totals.insert(total.date, total.sums());
            }
        }
        book.settle(today);
        book.narrow(scope);
        book.read_runs(table, tenant, scope, &reach.runs).await?;
        if reach.now {
            let account = table.find(key::make_account(tenant)).await?;
            if account.is_some_and(|account| account.ended_at.is_none()) {
                book.pull = table.find(key::make_pull(tenant)).await?;
            }
        }
        Ok(book)
    }

    /// Leaves what the scope holds.
    fn narrow(&mut self, scope: &Scope) {
        match scope {
            Scope::Tenant => {}
            Scope::Client(client) => self.known.retain(|_, known| known.owner == Owner::Client(*client)),
            Scope::Scenario(id) => self.known.retain(|which, _| which.by_id && which.scenario == *id),
        }
    }

    async fn read_runs(
        &mut self,
        table: &Table,
        tenant: TenantId,
        scope: &Scope,
        ranges: &[(Date, Date)],
    ) -> Result<()> {
        let days = match scope {
            Scope::Tenant => ranged(table, tenant, ranges).await?,
            Scope::Client(_) | Scope::Scenario(_) => {
                let ids = self.known.keys().filter(|which| which.by_id).map(|which| which.scenario.as_str());
                keyed(table, tenant, &ids.collect::<Vec<_>>(), ranges).await?
            }
        };
        for day in days {
            self.ran.entry(day.scenario.clone()).or_default().insert(day.date, day);
        }
        Ok(())
    }
}

/// Whose sheets tell of a scope. A scenario's days are those of all that it ever ran for.
fn owners(scope: &Scope, scenarios: &[Scenario], clients: &[Client]) -> Vec<Owner> {
    match scope {
        Scope::Tenant => {
            let clients = clients.iter().map(|client| Owner::Client(client.id));
            [Owner::Company, Owner::Unmapped].into_iter().chain(clients).collect()
        }
        Scope::Client(client) => vec![Owner::Client(*client)],
        Scope::Scenario(_) => {
            let mapped = scenarios.iter().flat_map(|scenario| &scenario.mapping).map(|mapped| mapped.owner);
            mapped.chain([Owner::Unmapped]).collect::<BTreeSet<_>>().into_iter().collect()
        }
    }
}

fn too_much() -> Error {
    Error::invalid("/scope", "holds more than 20,000 days of scenarios: narrow it to a client or a scenario")
}

/// The days of all scenarios.
async fn ranged(table: &Table, tenant: TenantId, ranges: &[(Date, Date)]) -> Result<Vec<RunDay>> {
    let ranges = stream::iter(ranges.to_vec());
    let ranges = ranges.map(|(from, to)| async move {
        let range = key::run_days(tenant, from, to);
        let mut page = Page::first(1_000);
        let mut days = Vec::new();
        loop {
            let found = table.list(&range, page.clone()).await?;
            days.extend(found.rows);
            match found.more {
                _ if days.len() > MOST => return Err(too_much()),
                Some(after) => page.after = Some(after),
                None => return Ok(days),
            }
        }
    });
    Ok(ranges.buffered(ABREAST).try_collect::<Vec<Vec<RunDay>>>().await?.into_iter().flatten().collect())
}

/// The days of some.
async fn keyed(table: &Table, tenant: TenantId, ids: &[&str], ranges: &[(Date, Date)]) -> Result<Vec<RunDay>> {
    let dates = || ranges.iter().flat_map(|(from, to)| days(*from, *to));
    let keys: Vec<_> = ids.iter().flat_map(|id| dates().map(move |date| key::run_day(tenant, date, id))).collect();
    if keys.len() > MOST {
        return Err(too_much());
    }
    let batches = stream::iter(keys.chunks(BATCH).map(<[_]>::to_vec).collect::<Vec<_>>());
    let batches = batches.map(|keys| async move { table.find_all(&keys).await });
    Ok(batches.buffered(ABREAST).try_collect::<Vec<Vec<RunDay>>>().await?.into_iter().flatten().collect())
}
