//! Folding a day: what was stated of it, what ran, and what Make.com counted, as a sheet for each owner.
//!
//! A sheet is made of the day's rows alone, so it is right again after whatever came late, and folding twice changes
//! nothing. No fold runs longer than [`Unfolded::SETTLED`] lets a note stand: one that began earlier and ends later has
//! read all that the other has.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicUsize, Ordering},
};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, civil::Date};
use shared::{
    Error, Result,
    id::TenantId,
    key::{self, Range},
    run::RunDay,
    scenario::{Mapped, Owner, Scenario},
    sheet::{Cell, DayTotal, Sheet, Subject, Unfolded},
    table::{Row, Table},
    usage::Usage,
};

/// So many owners are read at the same time.
const ABREAST: usize = 8;
/// So many rows of a day are folded: those of scenarios with runs, and those that were stated. A day of more is not.
pub const MOST: usize = 50_000;

/// What a tenant's days are folded by. Read once for many days.
pub struct Folder<'t> {
    table: &'t Table,
    tenant: TenantId,
    scenarios: HashMap<String, Scenario>,
    owners: Vec<Owner>,
    most: usize,
}

impl<'t> Folder<'t> {
    /// Reads what the days of a tenant are folded by.
    pub async fn of(table: &'t Table, tenant: TenantId) -> Result<Self> {
        let scenarios = table.list_all(&key::scenarios(tenant)).await?;
        let clients = table.list_all(&key::clients(tenant)).await?;
        let owners = [Owner::Company, Owner::Unmapped].into_iter();
        Ok(Self {
            table,
            tenant,
            scenarios: scenarios.into_iter().map(|scenario| (scenario.id.clone(), scenario)).collect(),
            owners: owners.chain(clients.into_iter().map(|client| Owner::Client(client.id))).collect(),
            most: MOST,
        })
    }

    /// The same for days of so many rows at most.
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Folds a day, and takes back the note that it has to be, unless something is told of it just now.
    pub async fn fold(&self, unfolded: &Unfolded, now: Timestamp) -> Result<()> {
        let date = unfolded.date;
        let sheets = self.sheets(date, &self.owners).await?;
        let most = self.most;
        let too_many = || Error::internal("a day is too large to be folded", format!("it has more than {most} rows"));
        let mut sheets: HashMap<Owner, Sheet> =
            sheets.ok_or_else(too_many)?.into_iter().map(|sheet| (sheet.owner, sheet)).collect();
        for owner in &self.owners {
            self.store(*owner, date, sheets.remove(owner)).await?;
        }
        if unfolded.is_settled(now) {
            self.table.delete_seen(key::unfolded(self.tenant, date), "noted_ms", unfolded.noted_ms).await?;
        }
        Ok(())
    }

    /// Stores a sheet and its totals, where they have changed.
    async fn store(&self, owner: Owner, date: Date, sheet: Option<Sheet>) -> Result<()> {
        let known = self.table.list_all(&key::sheets(self.tenant, owner, date, date)).await?;
        let total = sheet.as_ref().map(DayTotal::of);
        let rows = sheet.map(Sheet::rows).unwrap_or_default();
        let same = |(row, known): (&Sheet, &Sheet)| row.cells == known.cells && row.told_at == known.told_at;
        if rows.len() == known.len() && std::iter::zip(&rows, &known).all(same) {
            return Ok(());
        }
        // The totals first: whoever is killed after them finds rows that differ, and comes here again.
        match total {
            Some(total) => self.table.put(&total).await?,
            None => self.table.delete(key::day_total(self.tenant, owner, date)).await?,
        }
        for row in &rows {
            self.table.put(row).await?;
        }
        // Of scenarios that were mapped to somebody else meanwhile.
        for left in known.iter().filter(|known| known.nth as usize >= rows.len()) {
            self.table.delete(left.key()).await?;
        }
        Ok(())
    }

    /// The sheets of a day, of those of the owners that have something to show; nothing where the day has too many rows.
    /// What was stated of other owners is not read: of a scenario that nobody has mapped and that several have stated for
    /// the same day, it is not known then who did last.
    pub async fn sheets(&self, date: Date, owners: &[Owner]) -> Result<Option<Vec<Sheet>>> {
        let room = &Room { most: self.most, rows: AtomicUsize::new(0) };
        let days = self.rows(&key::run_days(self.tenant, date, date), room, |day| day).await?;
        let owners: Vec<_> =
            owners.iter().filter(|owner| **owner != Owner::Unmapped).map(|owner| owner.client()).collect();
        // What no cell tells of is long, and let go at once.
        let short = |row: Usage| Usage { call: None, description: None, ..row };
        let stated: Vec<Vec<Usage>> =
            stream::iter(owners)
                .map(|client| async move {
                    self.rows(&key::usage_between(self.tenant, client, date, date), room, short).await
                })
                .buffered(ABREAST)
                .try_collect()
                .await?;
        if !room.is_enough() {
            return Ok(None);
        }
        let mut stated: Vec<Usage> = stated.into_iter().flatten().collect();
        stated.sort_by_key(|row| row.synced_at);
        Ok(Some(self.sheets_of(date, &days, &stated)))
    }

    /// The rows of a range, as long as there is room.
    async fn rows<E: Row>(&self, range: &Range<E>, room: &Room, short: impl Fn(E) -> E) -> Result<Vec<E>> {
        let mut all = Vec::new();
        let take = |rows: Vec<E>| {
            room.rows.fetch_add(rows.len(), Ordering::Relaxed);
            all.extend(rows.into_iter().map(&short));
            Ok(room.is_enough())
        };
        self.table.each_page(range, take).await?;
        Ok(all)
    }

    fn sheets_of(&self, date: Date, days: &[RunDay], stated: &[Usage]) -> Vec<Sheet> {
        let mut sheets = Sheets { tenant: self.tenant, date, sheets: BTreeMap::new() };
        let ran: HashMap<&str, &RunDay> = days.iter().map(|day| (day.scenario.as_str(), day)).collect();
        for day in days {
            let mapped = self.mapped(&day.scenario, date, stated);
            let subject =
                Subject { operation_type: mapped.operation_type, by_id: true, scenario: day.scenario.clone() };
            sheets.of(mapped.owner, day.told_at).insert(subject, day.cell(&mapped));
        }
        for row in stated {
            let (by_id, scenario) = row.scenario();
            if by_id && ran.contains_key(scenario) {
                continue;
            }
            let subject = Subject { operation_type: row.operation_type, by_id, scenario: scenario.into() };
            sheets.of(row.client.into(), row.synced_at).entry(subject).or_default().state(row);
        }
        sheets.sheets.into_values().collect()
    }

    /// What a scenario was on a day. Where nobody has mapped it, whoever stated its usage has said whose it is.
    fn mapped(&self, scenario: &str, date: Date, stated: &[Usage]) -> Mapped {
        let known = self.scenarios.get(scenario).filter(|scenario| !scenario.mapping.is_empty());
        known.map(|scenario| scenario.on(date)).unwrap_or_else(|| {
            let row = stated.iter().rev().find(|row| row.scenario_id.as_deref() == Some(scenario));
            row.map_or_else(Mapped::default, |row| Mapped {
                owner: row.client.into(),
                operation_type: row.operation_type,
                ..Mapped::default()
            })
        })
    }
}

/// For how many rows there is room.
struct Room {
    most: usize,
    rows: AtomicUsize,
}

impl Room {
    fn is_enough(&self) -> bool {
        self.rows.load(Ordering::Relaxed) <= self.most
    }
}

/// The sheets of a day in the making.
struct Sheets {
    tenant: TenantId,
    date: Date,
    sheets: BTreeMap<Owner, Sheet>,
}

impl Sheets {
    /// The cells of an owner, of which something was told then.
    fn of(&mut self, owner: Owner, told_at: Timestamp) -> &mut BTreeMap<Subject, Cell> {
        let Self { tenant, date, sheets } = self;
        let new = || Sheet { tenant: *tenant, owner, date: *date, nth: 0, cells: BTreeMap::new(), told_at: None };
        let sheet = sheets.entry(owner).or_insert_with(new);
        sheet.told_at = sheet.told_at.max(Some(told_at));
        &mut sheet.cells
    }
}
