//! A change of one row of the source, and the event that it is: told by a webhook, or found by comparing.

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{id_in, moment, parsed};
use crate::{
    event::{Content, Event, Origin, identity},
    id::{EventId, TenantId},
    raw::canonical,
    trace::TraceId,
};

/// An update that names no version counts as the same one for so long: two triggers on one table fire together.
const SAME_UPDATE_MINUTES: i64 = 10;

/// What was done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// It is new.
    Insert,
    /// It was changed.
    Update,
    /// It is gone.
    Delete,
}

impl Operation {
    /// As the source says it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    /// As our events say it.
    const fn verb(self) -> &'static str {
        match self {
            Self::Insert => "created",
            Self::Update => "updated",
            Self::Delete => "deleted",
        }
    }
}

impl std::str::FromStr for Operation {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, &'static str> {
        [Self::Insert, Self::Update, Self::Delete]
            .into_iter()
            .find(|operation| operation.word() == word)
            .ok_or("must be INSERT, UPDATE or DELETE")
    }
}

/// A change of one row. Rows are JSON as it came.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What was done.
    pub operation: Operation,
    /// The schema of the table.
    pub schema: &'a str,
    /// One of [`super::TABLES`].
    pub table: &'a str,
    /// The row as it is.
    pub record: Option<&'a str>,
    /// The row as it was.
    pub old_record: Option<&'a str>,
}

impl Change<'_> {
    /// The event that it is. Whoever tells of it, and however it is written, it is the same one.
    pub fn event(&self, tenant: TenantId, trace: TraceId, now: Timestamp, origin: Origin) -> Event {
        let row = parsed(self.record.or(self.old_record)).unwrap_or_default();
        Event {
            tenant,
            id: self.identity(tenant, &row, now),
            event_type: format!("{}.{}", noun(self.table), self.operation.verb()),
            trace,
            accepted_at: now,
            occurred_at: occurred(&row),
            to: None,
            origin,
            content: Content::Booking {
                operation: self.operation,
                table: self.table.into(),
                record: self.record.map(Into::into),
                old_record: self.old_record.map(Into::into),
            },
        }
    }

    /// A version of a row is one event, whatever is said of the version before it: who compares may know another one
    /// than the trigger did. Where nothing says that it is a new version, both rows and the operation count.
    fn identity(&self, tenant: TenantId, row: &Value, now: Timestamp) -> EventId {
        let (schema, table) = (self.schema.as_bytes(), self.table.as_bytes());
        let record = canonical(self.record.unwrap_or("null"));
        if self.is_version(row) {
            return identity(tenant, &[b"booking version", schema, table, record.as_bytes()]);
        }
        let old_record = canonical(self.old_record.unwrap_or("null"));
        let window = match self.operation {
            Operation::Update if !row["updated_at"].is_string() => now.as_second() / (SAME_UPDATE_MINUTES * 60),
            _ => 0,
        };
        identity(
            tenant,
            &[
                b"booking",
                self.operation.word().as_bytes(),
                schema,
                table,
                record.as_bytes(),
                old_record.as_bytes(),
                &window.to_be_bytes(),
            ],
        )
    }

    /// Whether `updated_at` says that the row is newer than it was.
    fn is_version(&self, row: &Value) -> bool {
        let was = || parsed(self.old_record).and_then(|old| moment(&old, "updated_at"));
        match (self.operation, moment(row, "updated_at")) {
            (Operation::Delete, _) | (_, None) => false,
            (Operation::Insert, Some(_)) => id_in(row, "id").is_some(),
            (Operation::Update, Some(is)) => id_in(row, "id").is_some() && was().is_none_or(|was| was < is),
        }
    }
}

/// What a row of a table is called: `booking`, `booking_event`, `client`, `provider`.
fn noun(table: &str) -> &str {
    table.strip_suffix('s').unwrap_or(table)
}

/// When it happened, where the row says so.
fn occurred(row: &Value) -> Option<Timestamp> {
    let at = ["event_time", "updated_at", "created_at"].iter().find_map(|field| moment(row, field))?;
    at.round(Unit::Millisecond).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(operation: Operation, record: Option<&str>, old_record: Option<&str>) -> EventId {
        let change = Change { operation, schema: "public", table: "bookings", record, old_record };
        let tenant = TenantId::from_bytes([1; 16]);
        change.event(tenant, TraceId::new(), Timestamp::UNIX_EPOCH, Origin::Live).id
    }

    const V1: &str = r#"{"id": "b1", "status": "pending", "updated_at": "2026-11-21T09:00:00+00:00"}"#;
    const V2: &str = r#"{"id": "b1", "status": "confirmed", "updated_at": "2026-11-21T10:00:00.123456+00:00"}"#;

    #[test]
    fn a_version_is_one_event_however_it_is_learnt_of() {
        let by_webhook = id(Operation::Update, Some(V2), Some(V1));
        let by_interface = r#"{"id":"b1","updated_at":"2026-11-21T10:00:00.123456+00:00","status":"confirmed"}"#;

        assert_eq!(id(Operation::Update, Some(by_interface), Some(V1)), by_webhook);
        assert_eq!(id(Operation::Update, Some(by_interface), Some(r#"{"id":"b1"}"#)), by_webhook);
        assert_eq!(id(Operation::Insert, Some(by_interface), None), by_webhook);
        assert_ne!(id(Operation::Insert, Some(V1), None), by_webhook);
    }

    #[test]
    fn what_is_no_newer_version_is_known_by_both_rows() {
        let same = r#"{"id": "b1", "status": "x", "updated_at": "2026-11-21T10:00:00.123456+00:00"}"#;
        let later = r#"{"id": "b1", "status": "x", "updated_at": "2026-11-21T11:00:00+00:00"}"#;
        let all = [
            id(Operation::Update, Some(V2), Some(same)),
            id(Operation::Update, Some(V2), Some(later)),
            id(Operation::Update, Some(V2), Some(V1)),
            id(Operation::Delete, None, Some(V2)),
            id(Operation::Insert, Some(r#"{"id":"b1"}"#), None),
            id(Operation::Update, Some(r#"{"id":"b1"}"#), None),
            id(Operation::Delete, None, Some(r#"{"id":"b1"}"#)),
        ];
        for (n, one) in all.iter().enumerate() {
            assert!(!all[n + 1..].contains(one), "{n}");
        }
    }

    #[test]
    fn every_table_has_its_types() {
        let types = super::super::TABLES.map(|table| {
            let change =
                Change { operation: Operation::Update, schema: "public", table, record: Some("{}"), old_record: None };
            change.event(TenantId::new(), TraceId::new(), Timestamp::UNIX_EPOCH, Origin::Live).event_type
        });
        assert_eq!(types, ["booking.updated", "booking_event.updated", "client.updated", "provider.updated"]);
    }
}
