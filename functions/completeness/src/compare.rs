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
    source::{Day, Mark, Source, Watched},
    table::Table,
    tenant::Zone,
    trace::TraceId,
};

use crate::{fault::Fault, postgrest::Found, run::Stop};

/// So many rows are taken at the same time.
const AT_ONCE: usize = 10;
/// So many kept rows are read at a time.
const KEYS: usize = 100;
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

/// A row of the source.
struct Row {
    found: Found,
    value: Value,
    id: Option<String>,
    changed_at: Timestamp,
}

/// What became of a version of a row.
enum Arrival {
    /// It came in, or was made now.
    Event(Origin, Timestamp),
    /// It cannot be an event.
    Unfit,
    /// Its row is deleted by now, and that came in: to tell of it would make it again.
    Gone,
}

impl Comparison<'_> {
    /// Makes the events that are missing. What is to be counted, by day.
    pub async fn page(&self, found: Vec<Found>) -> Result<BTreeMap<Date, Day>, Stop> {
        let rows = found.into_iter().map(|found| self.row(found)).collect::<Result<Vec<_>, Fault>>()?;
        let kept = self.kept(&rows).await?;
        let arrivals: Vec<(Row, Arrival)> = stream::iter(rows)
            .map(|row| async {
                let kept = row.id.as_ref().and_then(|id| kept.get(id));
                let arrival = self.arrival(&row, kept).await?;
                Ok::<_, Error>((row, arrival))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut days = BTreeMap::new();
        for (row, arrival) in arrivals {
            self.count(&row, &arrival, &mut days);
        }
        Ok(days)
    }

    fn row(&self, found: Found) -> Result<Row, Fault> {
        let value: Value = serde_json::from_str(&found.record).map_err(|_| Fault::NoInterface)?;
        Ok(Row { id: id_in(&value, "id"), changed_at: found.time(self.watched)?, found, value })
    }

    /// What is kept of these rows, by id.
    async fn kept(&self, rows: &[Row]) -> Result<BTreeMap<String, Kept>> {
        let ids: BTreeSet<&String> = rows.iter().filter_map(|row| row.id.as_ref()).collect();
        let keys: Vec<_> = ids.into_iter().map(|id| key::kept(self.source.tenant, &self.watched.table, id)).collect();
        let mut kept = BTreeMap::new();
        for some in keys.chunks(KEYS) {
            let found = self.table.find_all(some).await?;
            kept.extend(found.into_iter().map(|kept| (kept.id.clone(), kept)));
        }
        Ok(kept)
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
        if row.id.is_none() || !row.found.whole || row.found.record.len() > LARGEST {
            return Ok(Arrival::Unfit);
        }
        let (event, _) = event::accept(self.table, self.event(row, before)).await?;
        Ok(Arrival::Event(event.origin, event.accepted_at))
    }

    /// The event as its webhook would have told it, as far as is known: what the row was before is what was kept of it.
    /// A row of which nothing is kept is new, unless it was made before we began to compare.
    fn event(&self, row: &Row, kept: Option<&Kept>) -> Event {
        let older = kept.filter(|kept| self.kept_version(kept) < self.version(row, kept));
        let record = row.found.record.as_str();
        let old_record = older.and_then(|kept| kept.record.as_deref());
        let made_at = moment(&row.value, "created_at");
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
            None => version(&row.value).unwrap_or(by_cursor),
        }
    }

    fn kept_version(&self, kept: &Kept) -> i64 {
        self.kept_cursor(kept).unwrap_or(kept.version)
    }

    fn kept_cursor(&self, kept: &Kept) -> Option<i64> {
        let row: Value = serde_json::from_str(kept.record.as_deref()?).ok()?;
        Some(moment(&row, &self.watched.cursor_column)?.as_microsecond())
    }

    /// A row that was compared before is not counted again: only one that came in after that was not there yet.
    fn count(&self, row: &Row, arrival: &Arrival, days: &mut BTreeMap<Date, Day>) {
        let is_new = self.mark.compared_to.is_none_or(|to| row.changed_at > to);
        let came_since = |at: &Timestamp| self.mark.compared_at.is_none_or(|compared_at| *at > compared_at);
        let counts = match arrival {
            Arrival::Event(_, at) => is_new || came_since(at),
            Arrival::Unfit => is_new,
            Arrival::Gone => false,
        };
        if !counts {
            return;
        }
        let (tenant, date) = (self.source.tenant, row.changed_at.to_zoned(self.zone.rules().clone()).date());
        let day = days.entry(date).or_insert_with(|| Day::new(tenant, date));
        let after = |at: &Timestamp| u64::try_from(at.duration_since(row.changed_at).as_millis()).unwrap_or(0);
        match arrival {
            Arrival::Event(Origin::Live, at) => day.live.live(after(at)),
            Arrival::Event(Origin::Reconciled, at) => day.repaired.repaired(after(at)),
            Arrival::Unfit | Arrival::Gone => day.skipped += 1,
        }
    }
}
