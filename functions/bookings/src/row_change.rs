//! What Supabase's database webhook says: one row of one table changed.
//!
//! Its body has `type`, `table`, `schema`, `record` and `old_record`, no event id, no time and no attempt number
//! (supabase.com, database webhooks). Rows are kept as the text that came, so that no digit of a number is lost.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use shared::{
    Fault,
    booking::{CLIENTS, Change, LONGEST_ID, Operation, PROVIDERS, TABLES, id_in},
    event::{Event, Origin},
    id::TenantId,
    trace::TraceId,
};

/// The types of event that are about bookings. Changes of clients and providers are events too, of the types `client.*`
/// and `provider.*`: they keep the context of bookings current, and go to whoever asks for them.
pub const EVENT_TYPES: [&str; 6] = [
    "booking.created",
    "booking.updated",
    "booking.deleted",
    "booking_event.created",
    "booking_event.updated",
    "booking_event.deleted",
];

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
        let operation = match self.operation.as_str().unwrap_or_default().parse() {
            Ok(operation) => Some(operation),
            Err(why) => {
                fault("type", why);
                None
            }
        };
        let table = TABLES.into_iter().find(|table| self.table.as_str() == Some(table));
        if table.is_none() {
            fault("table", "must be bookings, booking_events, clients or providers");
        }
        if !self.schema.is_string() && !self.schema.is_null() {
            fault("schema", "must be a text");
        }
        let mut read = |field, raw| {
            row(raw).unwrap_or_else(|| {
                fault(field, "must be an object or null");
                None
            })
        };
        let (record, old_record) = (read("record", self.record), read("old_record", self.old_record));
        let about = match operation {
            Some(Operation::Delete) => ("old_record", &old_record, "must be the row that was deleted"),
            _ => ("record", &record, "must be the row, for it is there"),
        };
        match about {
            (field, None, missing) if operation.is_some() => fault(field, missing),
            (field, Some(row), _) if matches!(table, Some(CLIENTS | PROVIDERS)) && id_in(row, "id").is_none() => {
                fault(&format!("{field}/id"), &format!("must be the id of the row, of 1 to {LONGEST_ID} characters"));
            }
            _ => {}
        }
        match (operation, table) {
            (Some(operation), Some(table)) if faults.is_empty() => {
                let schema = self.schema.as_str().unwrap_or("public");
                let record = record.and(self.record).map(RawValue::get);
                let old_record = old_record.and(self.old_record).map(RawValue::get);
                Ok(Change { operation, schema, table, record, old_record }.event(tenant, trace, now, Origin::Live))
            }
            _ => {
                let mut told = BTreeSet::new();
                faults.retain(|fault| told.insert(fault.pointer.clone()));
                Err(faults)
            }
        }
    }
}

/// A row, nothing for null, or `None` for what is neither.
fn row(raw: Option<&RawValue>) -> Option<Option<Value>> {
    match serde_json::from_str(raw.map_or("null", RawValue::get)).ok()? {
        Value::Null => Some(None),
        object @ Value::Object(_) => Some(Some(object)),
        _ => None,
    }
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
