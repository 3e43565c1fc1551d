//! Reading what is known: as much as is asked for, and never more than is bounded.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::atomic::{AtomicUsize, Ordering},
};

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
/// So many days of scenarios are read at most by the hour, and so many as a whole: some tens of MB each.
const MOST: usize = 20_000;
const MOST_CELLS: usize = 200_000;
/// So many rows, or keys, a request.
const PAGE: u16 = 1_000;
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
    /// Reads what is known of what a scope holds. 400 where that is too much; but of the present of a tenant whose runs by
    /// the hour alone are too many, those of as many scenarios as fit.
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
            ran_to: None,
            owners: owners.iter().map(|owner| (*owner, Days::default())).collect(),
            clients: clients.into_iter().map(|client| (client.id, client.name)).collect(),
            rates: Default::default(),
            pull: None,
        };
        if let Some((from, to)) = reach.sheets {
            sheets(table, tenant, &owners, from, to).await?.into_iter().for_each(|sheet| book.take(sheet));
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
        book.read_runs(table, tenant, scope, &reach).await?;
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

    async fn read_runs(&mut self, table: &Table, tenant: TenantId, scope: &Scope, reach: &Reach) -> Result<()> {
        if self.known.keys().all(|which| !which.by_id) {
            return Ok(());
        }
        let days = match scope {
            Scope::Tenant if reach.now => {
                let (days, last) = fitting(table, tenant, &reach.runs).await?;
                self.ran_to = last;
                days
            }
            Scope::Tenant => ranged(table, tenant, &reach.runs).await?,
            Scope::Client(_) | Scope::Scenario(_) => {
                let ids = self.known.keys().filter(|which| which.by_id).map(|which| which.scenario.as_str());
                keyed(table, tenant, &ids.collect::<Vec<_>>(), &reach.runs).await?
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
    let detail = "holds more than 20,000 days of scenarios by the hour, or 200,000 as a whole: narrow it to a client or a scenario";
    Error::invalid("/scope", detail)
}

/// What the scenarios of owners did, by day, the earliest first.
async fn sheets(table: &Table, tenant: TenantId, owners: &[Owner], from: Date, to: Date) -> Result<Vec<Sheet>> {
    let cells = AtomicUsize::new(0);
    let read = stream::iter(owners.to_vec()).map(|owner| {
        let cells = &cells;
        async move {
            let mut page = Page::first(PAGE);
            let mut sheets: Vec<Sheet> = Vec::new();
            loop {
                let found = table.list(&key::sheets(tenant, owner, from, to), page.clone()).await?;
                let more: usize = found.rows.iter().map(|sheet| sheet.cells.len()).sum();
                sheets.extend(found.rows);
                match found.more {
                    _ if cells.fetch_add(more, Ordering::Relaxed) + more > MOST_CELLS => return Err(too_much()),
                    Some(after) => page.after = Some(after),
                    None => return Ok(sheets),
                }
            }
        }
    });
    let mut sheets: Vec<Sheet> = read.buffered(ABREAST).try_collect::<Vec<_>>().await?.into_iter().flatten().collect();
    sheets.sort_by_key(|sheet| sheet.date);
    Ok(sheets)
}

/// The days of as many scenarios as fit, all of each; and the last of these, where they are not all.
async fn fitting(table: &Table, tenant: TenantId, ranges: &[(Date, Date)]) -> Result<(Vec<RunDay>, Option<String>)> {
    let dates: Vec<Date> = ranges.iter().flat_map(|(from, to)| days(*from, *to)).collect();
    let share = MOST / dates.len().max(1);
    let read = stream::iter(dates).map(|date| async move {
        let mut page = Page::first(PAGE);
        let mut days: Vec<RunDay> = Vec::new();
        loop {
            let found = table.list(&key::run_days(tenant, date, date), page.clone()).await?;
            days.extend(found.rows);
            match found.more {
                Some(after) if days.len() < share => page.after = Some(after),
                more => {
                    let last = days.last().filter(|_| more.is_some()).map(|day| day.scenario.clone());
                    return Ok::<_, Error>((days, last));
                }
            }
        }
    });
    let read: Vec<_> = read.buffered(ABREAST).try_collect().await?;
    let last = read.iter().filter_map(|(_, last)| last.clone()).min();
    let fits = |day: &RunDay| last.as_ref().is_none_or(|last| day.scenario <= *last);
    Ok((read.into_iter().flat_map(|(days, _)| days).filter(fits).collect(), last))
}

/// The days of all scenarios.
async fn ranged(table: &Table, tenant: TenantId, ranges: &[(Date, Date)]) -> Result<Vec<RunDay>> {
    let ranges = stream::iter(ranges.to_vec());
    let ranges = ranges.map(|(from, to)| async move {
        let range = key::run_days(tenant, from, to);
        let mut page = Page::first(PAGE);
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
