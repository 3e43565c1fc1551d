//! Counting a month: what its sheets come to, at the prices that held.

use std::collections::{BTreeSet, HashMap};

use data_encoding::HEXLOWER;
use jiff::civil::Date;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use shared::{
    Error, Result,
    id::TenantId,
    key,
    rate::{Rate, Rates},
    scenario::Owner,
    sheet::{Cell, Sheet, Subject},
    statement::{Basis, Figures, Matter, Month, Source},
    table::Table,
};

use crate::book::Book;

/// Rows of one request (quota of `BatchGetItem`).
const TOGETHER: usize = 100;

/// A month, as its sheets tell it.
pub struct Counted {
    /// What it comes to.
    pub book: Book,
    /// What it was made of.
    pub source: Source,
}

/// Days of a month on which one price held, or none.
struct Period {
    from: Date,
    to: Date,
    rate: Option<Rate>,
}

/// Counts the month of an owner. A scenario that is somebody else's today is called as it was stated, or by its id.
pub async fn month(table: &Table, tenant: TenantId, owner: Owner, month: Month, today: Date) -> Result<Counted> {
    let rates: Rates = table.list_all(&key::rates(tenant)).await?.into();
    let sheets = table.list_all(&key::sheets(tenant, owner, month.first(), month.last())).await?;
    let names = names(table, tenant, owner, &sheets, today).await?;
    let periods = periods(&rates, owner, month);

    let mut book = Book::default();
    let mut hash = Sha256::new();
    let (mut days, mut cells) = (BTreeSet::new(), 0);
    for period in &periods {
        let price = period.rate.as_ref().map(|rate| (&rate.currency, rate.per_credit.normalize().to_string()));
        told(&mut hash, &(period.from, period.to, price))?;
    }
    for sheet in &sheets {
        let Some(period) = periods.iter().find(|period| (period.from..=period.to).contains(&sheet.date)) else {
            continue;
        };
        days.insert(sheet.date);
        for (subject, cell) in &sheet.cells {
            told(&mut hash, &(sheet.date, subject, cell))?;
            cells += 1;
            let stated = cell.stated.as_ref().map(|stated| &stated.name);
            let name = names.get(&subject.scenario).filter(|_| subject.by_id).or(stated).unwrap_or(&subject.scenario);
            let (basis, figures) = period.value(cell);
            book.add(period.matter(subject, basis), name, figures);
        }
    }
    let source = Source {
        days: u32::try_from(days.len()).unwrap_or(u32::MAX),
        cells,
        sha256: HEXLOWER.encode(&hash.finalize()),
    };
    Ok(Counted { book, source })
}

fn told(hash: &mut Sha256, what: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_vec(what).map_err(|cause| Error::internal("what a statement is made of", cause))?;
    hash.update(text);
    hash.update(b"\n");
    Ok(())
}

/// What scenarios are called today that are nobody else's. Where there are many, all of the tenant are read: together they cost less.
async fn names(
    table: &Table,
    tenant: TenantId,
    owner: Owner,
    sheets: &[Sheet],
    today: Date,
) -> Result<HashMap<String, String>> {
    let subjects = sheets.iter().flat_map(|sheet| sheet.cells.keys()).filter(|subject| subject.by_id);
    let ids: BTreeSet<&str> = subjects.map(|subject| subject.scenario.as_str()).collect();
    let keys: Vec<_> = ids.into_iter().map(|id| key::scenario(tenant, id)).collect();
    let scenarios = match keys.len() {
        0 => Vec::new(),
        1..=TOGETHER => table.find_all(&keys).await?,
        _ => table.list_all(&key::scenarios(tenant)).await?,
    };
    let told = scenarios.into_iter().filter(|scenario| scenario.is_known_to(owner, today));
    Ok(told.map(|scenario| (scenario.id, scenario.name)).collect())
}

fn periods(rates: &Rates, owner: Owner, month: Month) -> Vec<Period> {
    let mut periods: Vec<Period> = Vec::new();
    for date in month.days() {
        let rate = rates.on(owner, date);
        match periods.last_mut().filter(|period| period.rate.as_ref() == rate) {
            Some(period) => period.to = date,
            None => periods.push(Period { from: date, to: date, rate: rate.cloned() }),
        }
    }
    periods
}

impl Period {
    fn matter(&self, subject: &Subject, basis: Basis) -> Matter {
        let Subject { by_id, scenario, .. } = subject.clone();
        Matter { from: self.from, to: self.to, by_id, scenario, basis }
    }

    fn value(&self, cell: &Cell) -> (Basis, Figures) {
        let (basis, cost) = match (cell.centicredits, &self.rate) {
            (Some(centicredits), Some(rate)) => {
                let (currency, per_credit) = (rate.currency.clone(), rate.per_credit.normalize());
                (Basis::Priced { currency, per_credit }, rate.cost(centicredits))
            }
            (centicredits, _) => {
                let basis = if centicredits.is_some() { Basis::Unpriced } else { Basis::Stated };
                (basis, Decimal::from(cell.cost.ten_thousandths()) / Decimal::from(10_000))
            }
        };
        let figures = Figures {
            operations: whole(cell.operations),
            centicredits: whole(cell.centicredits.unwrap_or_default()),
            cost,
            seconds_saved: whole(cell.seconds_saved),
            succeeded: whole(cell.succeeded),
            warned: whole(cell.warned),
            failed: whole(cell.failed),
            empty: whole(cell.empty),
        };
        (basis, figures)
    }
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
