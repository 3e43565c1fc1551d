//! Reading a range of days: sheets of each source, and days that are not folded yet as they stand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::civil::Date;
use shared::{
    Result,
    id::TenantId,
    key,
    scenario::Owner,
    sheet::{DayTotal, Sheet},
    table::Table,
};

use super::source::Source;
use crate::fold::Folder;

/// So many sources are read at once.
const ABREAST: usize = 8;
/// So many days are folded for an answer, the latest ones; what was told of earlier ones stands in it a little later.
const LIVE: usize = 3;
/// A day of more rows than this is left to the fold.
const MOST_LIVE: usize = 20_000;

/// Days that something was told of since they were folded.
#[derive(Default)]
pub struct Pending {
    /// Their sheets as they are by now.
    live: BTreeMap<Date, Vec<Sheet>>,
    /// Those that are shown as they were folded.
    pub left: BTreeSet<Date>,
}

impl Pending {
    /// What of a range has to be folded again: the latest days are, for this answer and its sources.
    pub async fn of(table: &Table, tenant: TenantId, sources: &[Source], from: Date, to: Date) -> Result<Self> {
        let noted = table.list_all(&key::unfolded_between(tenant, from, to)).await?;
        let mut left: BTreeSet<Date> = noted.iter().map(|note| note.date).collect();
        let mut live = BTreeMap::new();
        if !left.is_empty() {
            let folder = Folder::of(table, tenant).await?.at_most(MOST_LIVE);
            let owners: Vec<Owner> = sources.iter().map(|source| source.owner).collect();
            let latest: Vec<Date> = left.iter().rev().take(LIVE).copied().collect();
            for date in latest {
                if let Some(sheets) = folder.sheets(date, &owners).await? {
                    left.remove(&date);
                    live.insert(date, sheets);
                }
            }
        }
        Ok(Self { live, left })
    }
}

/// Every sheet of the sources in a range goes to `take`, with the place of its source, page by page.
pub async fn sheets(
    table: &Table,
    tenant: TenantId,
    sources: &[Source],
    (from, to): (Date, Date),
    pending: &Pending,
    take: impl FnMut(usize, &Sheet) -> Result<()> + Send,
) -> Result<()> {
    let taken = Mutex::new(take);
    let take = &|n: usize, sheet: &Sheet| {
        let mut take = taken.lock().unwrap_or_else(PoisonError::into_inner);
        take(n, sheet)
    };
    let reads: Vec<_> = sources
        .iter()
        .enumerate()
        .map(|(n, source)| async move {
            let page = |sheets: Vec<Sheet>| {
                let mut folded = sheets.iter().filter(|sheet| !pending.live.contains_key(&sheet.date));
                folded.try_for_each(|sheet| take(n, sheet)).map(|()| true)
            };
            table.each_page(&key::sheets(tenant, source.owner, from, to), page).await
        })
        .collect();
    stream::iter(reads).buffer_unordered(ABREAST).try_for_each(async |()| Ok(())).await?;
    let places: BTreeMap<Owner, usize> = sources.iter().enumerate().map(|(n, source)| (source.owner, n)).collect();
    let live = pending.live.range(from..=to).flat_map(|(_, sheets)| sheets);
    live.filter_map(|sheet| Some((places.get(&sheet.owner)?, sheet))).try_for_each(|(n, sheet)| take(*n, sheet))
}

/// The totals of the sources' days in a range.
pub async fn totals(
    table: &Table,
    tenant: TenantId,
    sources: &[Source],
    (from, to): (Date, Date),
) -> Result<Vec<DayTotal>> {
    let reads: Vec<_> = sources
        .iter()
        .map(|source| async move { table.list_all(&key::day_totals(tenant, source.owner, from, to)).await })
        .collect();
    let totals: Vec<Vec<DayTotal>> = stream::iter(reads).buffered(ABREAST).try_collect().await?;
    Ok(totals.into_iter().flatten().collect())
}
