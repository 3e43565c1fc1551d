//! What Supabase's database webhook says: one row of one table changed.
//!
//! Its body has `type`, `table`, `schema`, `record` and `old_record`, no event id, no time and no attempt number
//! (supabase.com, database webhooks). Rows are kept as the text that came, so that no digit of a number is lost.

use jiff::{Timestamp, Unit};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use shared::{
    Fault,
    event::{Content, Event, Origin, identity},
    id::TenantId,
    trace::TraceId,
};

/// All types of event that a change can be.
pub const EVENT_TYPES: [&str; 6] = [
    "booking.created",
    "booking.updated",
    "booking.deleted",
    "booking_event.created",
    "booking_event.updated",
    "booking_event.deleted",
];

/// An update that names no version counts as the same one for so long: two triggers on one table fire together.
const SAME_UPDATE_MINUTES: i64 = 10;

/// A change, as it came. `user_id` and whatever else newer versions add is let through.
#[derive(Deserialize)]
pub struct RowChange<'a> {
    #[serde(rename = "type", default)]
    operation: Value,
    #[serde(default)]
    table: Value,
    #[serde(default)]
    schema: Value,
    #[serde(borrow, default)]
    record: Option<&'a RawValue>,
    #[serde(borrow, default)]
    old_record: Option<&'a RawValue>,
}

impl RowChange<'_> {
    /// The event that it reports, or all that is wrong with it.
    pub fn event(&self, tenant: TenantId, trace: TraceId, now: Timestamp, at: &str) -> Result<Event, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut fault = |field: &str, detail: &str| faults.push(Fault::at(format!("{at}/{field}"), detail));
        let verb = match self.operation.as_str() {
            Some("INSERT") => "created",
            Some("UPDATE") => "updated",
            Some("DELETE") => "deleted",
            _ => {
                fault("type", "must be INSERT, UPDATE or DELETE");
                ""
            }
        };
        let noun = match self.table.as_str() {
            Some("bookings") => "booking",
            Some("booking_events") => "booking_event",
            _ => {
                fault("table", "must be bookings or booking_events");
                ""
            }
        };
        if !self.schema.is_string() && !self.schema.is_null() {
            fault("schema", "must be a text");
        }
        let record = row(self.record).unwrap_or_else(|| {
            fault("record", "must be an object or null");
            None
        });
        let old_record = row(self.old_record).unwrap_or_else(|| {
            fault("old_record", "must be an object or null");
            None
        });
        match verb {
            "created" | "updated" if record.is_none() => fault("record", "must be the row, for it is there"),
            "deleted" if old_record.is_none() => fault("old_record", "must be the row that was deleted"),
            _ => {}
        }
        if !faults.is_empty() {
            faults.dedup_by(|a, b| a.pointer == b.pointer);
            return Err(faults);
        }
        Ok(Event {
            tenant,
            id: self.identity(tenant, record.as_ref(), now),
            event_type: format!("{noun}.{verb}"),
            trace,
            accepted_at: now,
            occurred_at: record.as_ref().or(old_record.as_ref()).and_then(occurred),
            to: None,
            origin: Origin::Live,
            content: Content::Booking {
                operation: self.operation.as_str().unwrap_or_default().into(),
                table: self.table.as_str().unwrap_or_default().into(),
                record: record.is_some().then(|| text(self.record).into()),
                old_record: old_record.is_some().then(|| text(self.old_record).into()),
            },
        })
    }

    /// The same change, reported again, makes the same event.
    fn identity(&self, tenant: TenantId, record: Option<&Value>, now: Timestamp) -> shared::id::EventId {
        let versioned = record.is_some_and(|row| row["updated_at"].is_string());
        let window = match self.operation.as_str() {
            Some("UPDATE") if !versioned => now.as_second() / (SAME_UPDATE_MINUTES * 60),
            _ => 0,
        };
        identity(
            tenant,
            &[
                b"booking",
                self.operation.as_str().unwrap_or_default().as_bytes(),
                self.schema.as_str().unwrap_or("public").as_bytes(),
                self.table.as_str().unwrap_or_default().as_bytes(),
                text(self.record).as_bytes(),
                text(self.old_record).as_bytes(),
                &window.to_be_bytes(),
            ],
        )
    }
}

fn text(raw: Option<&RawValue>) -> &str {
    raw.map_or("null", RawValue::get)
}

/// A row, nothing for null, or `None` for what is neither.
fn row(raw: Option<&RawValue>) -> Option<Option<Value>> {
    match serde_json::from_str(text(raw)).ok()? {
        Value::Null => Some(None),
        object @ Value::Object(_) => Some(Some(object)),
        _ => None,
    }
}

/// When it happened, where the row says so.
fn occurred(row: &Value) -> Option<Timestamp> {
    let at: Timestamp =
        ["event_time", "updated_at", "created_at"].iter().find_map(|field| row[field].as_str()?.parse().ok())?;
    at.round(Unit::Millisecond).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_are_those_that_changes_make() {
        let types = ["bookings", "booking_events"].into_iter().flat_map(|table| {
            ["INSERT", "UPDATE", "DELETE"].map(|operation| {
                let change = format!(r#"{{"type":"{operation}","table":"{table}","record":{{}},"old_record":{{}}}}"#);
                let change: RowChange = serde_json::from_str(&change).unwrap();
                change.event(TenantId::new(), TraceId::new(), Timestamp::UNIX_EPOCH, "").unwrap().event_type
            })
        });
        assert!(types.eq(EVENT_TYPES));
    }
}
