//! What is found about a table beyond its rows: that its webhooks tell of nothing, and that rows are hidden from our key.
//!
//! Row level security hides rows without a word: the interface answers 200 with a list that has fewer of them, and counts
//! (`Prefer: count=…`) as few (supabase.com, row level security; docs.postgrest.org, pagination and count). So the source is
//! asked by id for rows that there must be: those that the latest events have told of.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use shared::{
    Result,
    booking::id_in,
    event::{Content, Event},
    id::TenantId,
    key,
    live::{Channel, Entry, LAST},
    notice::Notice,
    raw::columns,
    source::{Mark, Watched},
    table::{Page, Table},
};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{
    fault::Fault,
    postgrest::Postgrest,
    run::{Run, SETTLE, Stop, marked},
};

/// So many of the latest events are looked through for rows that there must be.
const LATEST: u16 = 25;
/// Of so many rows at least, half are not shown: then rows are hidden.
const ENOUGH: usize = 3;
/// So many are asked for.
const MOST: usize = 10;

/// Something that is wrong with a table of the source, though it can be read.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CompletenessFinding)]
pub struct Finding {
    /// By name, stable: `webhooks_missed` or `rows_hidden`.
    name: &'static str,
    /// The table of the source.
    table: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// What it is, and what to do.
    detail: &'static str,
}

const MISSED: &str = "nearly nothing of what changes is told by a webhook, and all of it is made ten minutes late: see \
    that the database webhook of this table is enabled, has our address and a key that is in force";
const HIDDEN: &str = "rows that events have told of are not shown to the key: row level security hides them, and what no \
    webhook tells of them is lost; give a secret key, or one whose policies show all rows. If the rows were deleted, \
    have a webhook tell of DELETE, too";

impl Finding {
    /// All that is found about a table.
    pub fn of(watched: &Watched, mark: &Mark) -> impl Iterator<Item = Self> {
        let missed = mark.missed_since.map(|since| ("webhooks_missed", since, MISSED));
        let hidden = mark.hidden_since.map(|since| ("rows_hidden", since, HIDDEN));
        let table = watched.table.clone();
        [missed, hidden].into_iter().flatten().map(move |(name, since, detail)| {
            let table = table.clone();
            Self { name, table, since, detail }
        })
    }
}

impl Run<'_> {
    /// What is to be said of the webhooks of tables.
    pub fn judge_webhooks(&mut self, tables: &[Watched]) -> Vec<Notice> {
        let mut notices = Vec::new();
        for watched in tables {
            let Some(mut mark) = marked(&self.source, watched).cloned() else { continue };
            notices.extend(judge_webhooks(self.source.tenant, watched, &mut mark, self.now));
            self.source.marks.insert(watched.table.clone(), mark);
        }
        notices
    }

    /// Whether tables whose stretch is at its end show the rows that there must be, where events came in since the
    /// stretch before: what is to be said of that. A source that does not answer this has still been compared.
    pub async fn judge_rows(&mut self, at_end: &[(&Watched, Option<Timestamp>)]) -> Result<Vec<Notice>> {
        let is_open = |(watched, _): &(&Watched, _)| self.mark(watched).hidden_since.is_some();
        let Some(mut since) = at_end.iter().map(|(_, before)| *before).min() else { return Ok(Vec::new()) };
        if at_end.iter().any(is_open) {
            since = None;
        }
        let tenant = self.source.tenant;
        let known = Known::since(&self.deps.table, tenant, since, self.now).await?;
        let mut notices = Vec::new();
        for (watched, _) in at_end {
            let left = self.patience.saturating_sub(self.begun.elapsed());
            let seen = match self.interface().await {
                Ok(interface) => timeout(left, known.look(&interface, watched)).await,
                Err(Stop::Error(error)) => return Err(error),
                Err(_) => return Ok(notices),
            };
            match seen {
                Ok(Ok(Some(seen))) => {
                    let mut mark = self.mark(watched);
                    notices.extend(judge_rows(tenant, watched, &mut mark, &seen, self.now));
                    self.source.marks.insert(watched.table.clone(), mark);
                }
                Ok(Ok(None)) => {}
                Ok(Err(fault)) => {
                    tracing::info!(tenant.id = %tenant, fault = fault.name(), "rows that there must be were not looked for");
                }
                Err(_) => break,
            }
        }
        Ok(notices)
    }
}

/// Notes that a table's webhooks tell of nothing any more, or again; and says it, each time once.
fn judge_webhooks(tenant: TenantId, watched: &Watched, mark: &mut Mark, now: Timestamp) -> Option<Notice> {
    let table = &watched.table;
    let (live, repaired) = mark.lately.both();
    let (name, detail) = match mark.missed_since {
        None => {
            let since = mark.lately.missed_since().filter(|_| !mark.lately.is_back())?;
            mark.missed_since = Some(since);
            let told = format!("of {} changes of {table} since {since}, webhooks told of {live}", live + repaired);
            ("webhooks_missed", format!("{told}: {MISSED}"))
        }
        Some(since) if mark.lately.is_back() => {
            (mark.missed_since, mark.lately) = (None, Default::default());
            ("webhooks_back", format!("webhooks tell of the changes of {table} again, as they did not since {since}"))
        }
        Some(_) => return None,
    };
    Some(Notice::of(tenant, name, table.clone(), detail, now))
}

/// Notes that rows of a table are hidden, or no longer; and says it, each time once.
fn judge_rows(tenant: TenantId, watched: &Watched, mark: &mut Mark, seen: &Seen, now: Timestamp) -> Option<Notice> {
    let table = &watched.table;
    let Seen { asked, hidden } = *seen;
    let (name, detail) = match mark.hidden_since {
        None if hidden * 2 >= asked => {
            mark.hidden_since = Some(now);
            ("rows_hidden", format!("{hidden} of the {asked} rows of {table} that events told of last: {HIDDEN}"))
        }
        Some(since) if hidden * 2 < asked => {
            mark.hidden_since = None;
            ("rows_shown", format!("the rows of {table} are shown again that were hidden since {since}"))
        }
        _ => return None,
    };
    Some(Notice::of(tenant, name, table.clone(), detail, now))
}

/// How many rows that there must be were asked for, and how many of them are not shown.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    asked: usize,
    hidden: usize,
}

/// Rows that there must be, by table: the latest that events told of, and that are not known to be deleted.
#[derive(Default)]
struct Known(BTreeMap<String, BTreeSet<String>>);

impl Known {
    /// Nothing where no event was numbered since a moment.
    async fn since(table: &Table, tenant: TenantId, at: Option<Timestamp>, now: Timestamp) -> Result<Self> {
        let newest = Page { newest_first: true, ..Page::first(LATEST) };
        let entries = table.list(&key::live_entries(tenant, &Channel::Tenant, 1, LAST), newest).await?.rows;
        let is_new = |entry: &Entry| at.is_none_or(|at| entry.at + SETTLE > at);
        if !entries.first().is_some_and(is_new) {
            return Ok(Self::default());
        }
        // What came in a moment ago may have gone a moment later.
        let settled = entries.iter().filter(|entry| entry.at + SETTLE <= now);
        let keys: Vec<_> = settled.map(|entry| key::event(tenant, entry.event)).collect();
        let events = table.find_all(&keys).await?;
        let keys: Vec<_> = told(&events).iter().map(|(table, id)| key::kept(tenant, table, id)).collect();
        let mut known = Self::default();
        for kept in table.find_all(&keys).await?.into_iter().filter(|kept| !kept.deleted) {
            let of_table = known.0.entry(kept.table).or_default();
            if of_table.len() < MOST {
                of_table.insert(kept.id);
            }
        }
        Ok(known)
    }

    /// Whether a table shows them; nothing where too few are known.
    async fn look(&self, interface: &Postgrest<'_>, watched: &Watched) -> Result<Option<Seen>, Fault> {
        let Some(ids) = self.0.get(&watched.table).filter(|ids| ids.len() >= ENOUGH) else { return Ok(None) };
        let shown = interface.shown(watched, ids).await?;
        Ok(Some(Seen { asked: ids.len(), hidden: ids.len() - shown.len() }))
    }
}

/// Tables and ids of the rows that events are about.
fn told(events: &[Event]) -> BTreeSet<(&str, String)> {
    let mut rows = BTreeSet::new();
    for event in events {
        let Content::Booking { table, record, old_record, .. } = &event.content else { continue };
        let id = record.as_deref().or(old_record.as_deref()).and_then(id_of);
        rows.extend(id.map(|id| (table.as_str(), id)));
    }
    rows
}

/// The `id` of a row, and no more of it than that.
fn id_of(record: &str) -> Option<String> {
    let id: &RawValue = columns(record)?.remove("id")?;
    let id: Value = serde_json::from_str(id.get()).ok()?;
    id_in(&Value::Object([("id".to_owned(), id)].into_iter().collect()), "id")
}
