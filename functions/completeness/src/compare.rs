//! A page of rows of the source, held against what has come in.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, civil::Date};
use serde_json::Value;
use shared::{
    Error, Result,
    booking::{Change, Kept, Operation, id_in, moment, version},
    event::{self, Event, Origin},
    key,
    raw::columns,
    source::{Day, Lately, Mark, Source, Watched},
    table::Table,
    tenant::Zone,
    trace::TraceId,
};

use crate::{fault::Fault, postgrest::Found, run::Stop};

/// So many rows are taken at the same time.
const AT_ONCE: usize = 10;
/// So many kept rows are read and held at a time: each may have 400 kB.
const KEYS: usize = 50;
/// What is longer is no id and no time, however it is escaped.
const CELL: usize = 2_000;
/// So many bytes of rows fit into an event (a row of the table has at most 400 kB).
const LARGEST: usize = 380_000;
/// The schema that the REST interface shows, and whose tables report.
const SCHEMA: &str = "public";

/// What a page is held against.
pub struct Comparison<'a> {
    /// The table.
    pub table: &'a Table,
    /// Whose rows.
    pub source: &'a Source,
    /// Of which table of the source.
    pub watched: &'a Watched,
    /// How far they were compared.
    pub mark: &'a Mark,
    /// The tenant's days.
    pub zone: &'a Zone,
    /// When missing events are accepted.
    pub now: Timestamp,
}

/// What a page came to.
pub struct Compared {
    /// What is to be counted, by day.
    pub days: BTreeMap<Date, Day>,
    /// How that came in which a webhook could have told of: history is left out.
    pub lately: Lately,
    /// How many events were made now.
    pub made: usize,
}

/// A row of the source: as the text that came, for all rows of a page are held.
struct Row {
    found: Found,
    id: Option<String>,
    version: Option<i64>,
    made_at: Option<Timestamp>,
    changed_at: Timestamp,
}

/// What became of a version of a row.
enum Arrival {
    /// It came in.
    Event(Origin, Timestamp),
    /// It was made now.
    Made(Timestamp),
    /// It cannot be an event.
    Unfit,
    /// Its row is deleted by now, and that came in: to tell of it would make it again.
    Gone,
}

impl Comparison<'_> {
    /// Makes the events that are missing.
    pub async fn page(&self, found: Vec<Found>) -> Result<Compared, Stop> {
        let rows = found.into_iter().map(|found| self.row(found)).collect::<Result<Vec<_>, Fault>>()?;
        let mut compared = Compared { days: BTreeMap::new(), lately: Lately::default(), made: 0 };
        let mut rows = rows.into_iter();
        loop {
            let some: Vec<Row> = rows.by_ref().take(KEYS).collect();
            if some.is_empty() {
                return Ok(compared);
            }
            for (row, arrival) in self.arrivals(some).await? {
                compared.made += usize::from(matches!(arrival, Arrival::Made(_)));
                self.count(&row, &arrival, &mut compared);
            }
        }
    }

    async fn arrivals(&self, rows: Vec<Row>) -> Result<Vec<(Row, Arrival)>> {
        let kept = self.kept(&rows).await?;
        stream::iter(rows)
            .map(|row| async {
                let kept = row.id.as_ref().and_then(|id| kept.get(id));
                let arrival = self.arrival(&row, kept).await?;
                Ok::<_, Error>((row, arrival))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    fn row(&self, found: Found) -> Result<Row, Fault> {
        let told = cells(&found.record, &["id", "updated_at", "created_at"]);
        let changed_at = found.time(self.watched)?;
        Ok(Row {
            id: id_in(&told, "id"),
            version: version(&told),
            made_at: moment(&told, "created_at"),
            changed_at,
            found,
        })
    }

    /// What is kept of these rows, by id.
    async fn kept(&self, rows: &[Row]) -> Result<BTreeMap<String, Kept>> {
        let ids: BTreeSet<&String> = rows.iter().filter_map(|row| row.id.as_ref()).collect();
        let keys: Vec<_> = ids.into_iter().map(|id| key::kept(self.source.tenant, &self.watched.table, id)).collect();
        let kept = self.table.find_all(&keys).await?;
        Ok(kept.into_iter().map(|kept| (kept.id.clone(), kept)).collect())
    }

    /// How the row came in: as what is kept of it says, else as the event says that it is. That is made where it is
    /// missing.
    async fn arrival(&self, row: &Row, kept: Option<&Kept>) -> Result<Arrival> {
        let before = match kept {
            Some(kept) if kept.deleted && self.kept_version(kept) >= self.version(row, kept) => {
                return Ok(Arrival::Gone);
            }
            // It was made again.
            Some(kept) if kept.deleted => None,
            Some(kept) if self.kept_version(kept) == self.version(row, kept) => {
                return Ok(Arrival::Event(kept.origin, kept.accepted_at));
            }
            kept => kept,
        };
        let Found { record, whole, .. } = &row.found;
        // What is too deep to be read is no event.
        let fits = row.id.is_some() && *whole && record.len() <= LARGEST;
        if !fits || serde_json::from_str::<Value>(record).is_err() {
            return Ok(Arrival::Unfit);
        }
        let (event, was_there) = event::accept(self.table, self.event(row, before)).await?;
        Ok(match was_there {
            true => Arrival::Event(event.origin, event.accepted_at),
            false => Arrival::Made(event.accepted_at),
        })
    }

    /// The event as its webhook would have told it, as far as is known: what the row was before is what was kept of it.
    /// A row of which nothing is kept is new, unless it was made before we began to compare.
    fn event(&self, row: &Row, kept: Option<&Kept>) -> Event {
        let older = kept.filter(|kept| self.kept_version(kept) < self.version(row, kept));
        let record = row.found.record.as_str();
        let old_record = older.and_then(|kept| kept.record.as_deref());
        let made_at = row.made_at;
        let is_new = match kept {
            Some(_) => older.is_none() && made_at == Some(row.changed_at),
            None => made_at.is_none_or(|made_at| made_at >= self.source.since),
        };
        let change = Change {
            operation: if is_new { Operation::Insert } else { Operation::Update },
            schema: SCHEMA,
            table: &self.watched.table,
            record: Some(record),
            old_record: old_record.filter(|old| old.len() + record.len() <= LARGEST),
        };
        change.event(self.source.tenant, TraceId::new(), self.now, Origin::Reconciled)
    }

    /// Versions are told by the cursor where the kept row has it, else by what every kept row is versioned by.
    fn version(&self, row: &Row, kept: &Kept) -> i64 {
        let by_cursor = row.changed_at.as_microsecond();
        match self.kept_cursor(kept) {
            Some(_) => by_cursor,
            None => row.version.unwrap_or(by_cursor),
        }
    }

    fn kept_version(&self, kept: &Kept) -> i64 {
        self.kept_cursor(kept).unwrap_or(kept.version)
    }

    fn kept_cursor(&self, kept: &Kept) -> Option<i64> {
        let cursor = self.watched.cursor_column.as_str();
        Some(moment(&cells(kept.record.as_deref()?, &[cursor]), cursor)?.as_microsecond())
    }

    /// A row that was compared before is not counted again: only one that came in after that was not there yet.
    fn count(&self, row: &Row, arrival: &Arrival, compared: &mut Compared) {
        let is_new = self.mark.compared_to.is_none_or(|to| row.changed_at > to);
        let came_since = |at: &Timestamp| self.mark.compared_at.is_none_or(|compared_at| *at > compared_at);
        let counts = match arrival {
            Arrival::Event(_, at) | Arrival::Made(at) => is_new || came_since(at),
            Arrival::Unfit => is_new,
            Arrival::Gone => false,
        };
        if !counts {
            return;
        }
        let (tenant, date) = (self.source.tenant, row.changed_at.to_zoned(self.zone.rules().clone()).date());
        let day = compared.days.entry(date).or_insert_with(|| Day::new(tenant, date));
        let after = |at: &Timestamp| u64::try_from(at.duration_since(row.changed_at).as_millis()).unwrap_or(0);
        let came_in = match arrival {
            Arrival::Event(Origin::Live, at) => {
                day.live.live(after(at));
                true
            }
            Arrival::Event(Origin::Reconciled, at) | Arrival::Made(at) => {
                day.repaired.repaired(after(at));
                false
            }
            Arrival::Unfit | Arrival::Gone => return day.skipped += 1,
        };
        if !self.is_history(row) {
            compared.lately.count(row.changed_at, came_in);
        }
    }

    /// What changed before a person had the source, or this table or time of it, compared: no webhook was awaited.
    fn is_history(&self, row: &Row) -> bool {
        row.changed_at < self.source.updated_at && self.mark.compared_to.is_none_or(|to| row.changed_at <= to)
    }
}

/// Some columns of a row, as far as they are short; the rest of it is never held as values.
fn cells(record: &str, names: &[&str]) -> Value {
    let named = columns(record).unwrap_or_default();
    let cell = |name: &str| {
        let text = named.get(name)?.get();
        let value = Some(text).filter(|text| text.len() <= CELL).and_then(|text| serde_json::from_str(text).ok())?;
        Some((name.to_owned(), value))
    };
    Value::Object(names.iter().filter_map(|name| cell(name)).collect())
}
