//! What the tenant has stored of its bookings and their people, kept current from the events themselves.
//!
//! A [`Kept`] row is the latest known version of one row of the source. Deliveries take context from it, live channels
//! the ids of the people, and the reconciler what has been seen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::Result,
    event::{Content, Context, Event, Origin, details, own_context},
    id::{EventId, TenantId},
    key::{self, Key},
    table::{Row, Table},
};

/// The tables of the source whose rows are taken.
pub const TABLES: [&str; 4] = ["bookings", "booking_events", "clients", "providers"];

/// The latest known version of one row of the source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Whose.
    pub tenant: TenantId,
    /// Of which table of the source.
    pub table: String,
    /// Its primary key there.
    pub id: String,
    /// Its version: microseconds since 1970 of its `updated_at`, else `created_at`, else of when its event was accepted.
    pub version: i64,
    /// The row, as the text that came; not kept of `booking_events`, which never change.
    pub record: Option<String>,
    /// The event that brought it.
    pub event: EventId,
    /// How that event came to be known.
    #[serde(default)]
    pub origin: Origin,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Whether the row was deleted at its source.
    #[serde(default)]
    pub deleted: bool,
    /// Of a booking: who booked, as last known (JSON).
    pub client_info: Option<String>,
    /// Of a booking: who provides, as last known (JSON).
    pub provider_info: Option<String>,
    /// When it may be forgotten, where it may.
    pub keep_until: Option<Timestamp>,
}

impl Row for Kept {
    const KIND: &'static str = "kept";

    fn key(&self) -> Key<Self> {
        key::kept(self.tenant, &self.table, &self.id)
    }

    fn expires(&self) -> Option<Timestamp> {
        self.keep_until
    }
}

/// Whom an event of the booking system is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// The booking.
    pub booking: Option<String>,
    /// The users: `user_id` and `client_id` of the row.
    pub users: Vec<String>,
    /// The provider.
    pub provider: Option<String>,
}

impl Subjects {
    /// As far as the event itself says; [`Subjects::completed`] by the booking that is kept.
    pub fn of(event: &Event) -> Self {
        let Content::Booking { table, record, old_record, .. } = &event.content else { return Self::default() };
        let Some(row) = parsed(record.as_deref().or(old_record.as_deref())) else { return Self::default() };
        let booking = match table.as_str() {
            "bookings" => id_in(&row, "id"),
            "booking_events" => id_in(&row, "booking_id"),
            _ => None,
        };
        let mut subjects = Self { booking, ..Self::default() };
        if subjects.booking.is_some() {
            subjects.add(&row);
        }
        subjects
    }

    /// With the people of the booking, where the event names none.
    pub fn completed(mut self, booking: Option<&Kept>) -> Self {
        if let Some(row) = booking.and_then(|kept| parsed(kept.record.as_deref())) {
            self.add(&row);
        }
        self
    }

    fn add(&mut self, row: &Value) {
        for user in ["user_id", "client_id"].iter().filter_map(|field| id_in(row, field)) {
            if !self.users.contains(&user) {
                self.users.push(user);
            }
        }
        self.provider = self.provider.take().or_else(|| id_in(row, "provider_id"));
    }
}

/// What is known around an event beyond what it says itself: nothing where it says all, or where the table does not
/// answer. A delivery never waits for its context.
pub async fn context(table: &Table, event: &Event) -> Context {
    let Content::Booking { record, old_record, .. } = &event.content else { return Context::default() };
    let own = own_context(record.as_deref().or(old_record.as_deref()));
    if own.booking_details.is_some() && own.client_info.is_some() && own.provider_info.is_some() {
        return Context::default();
    }
    match kept_booking(table, event).await {
        Ok(Some(kept)) => kept.context(),
        Ok(None) => Context::default(),
        Err(error) => {
            tracing::warn!(error = ?error, "delivered without its context: {error}");
            Context::default()
        }
    }
}

/// The booking that an event is about, as it is kept.
pub async fn kept_booking(table: &Table, event: &Event) -> Result<Option<Kept>> {
    match Subjects::of(event).booking {
        Some(booking) => table.find(key::kept(event.tenant, "bookings", &booking)).await,
        None => Ok(None),
    }
}

impl Kept {
    /// What it tells around an event of this booking.
    pub fn context(&self) -> Context {
        Context {
            booking_details: parsed(self.record.as_deref()).map(|row| details(&row)),
            client_info: parsed(self.client_info.as_deref()),
            provider_info: parsed(self.provider_info.as_deref()),
        }
    }
}

/// An id of a row: a text, or a number as its digits.
pub fn id_in(row: &Value, field: &str) -> Option<String> {
    match row.get(field)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn parsed(text: Option<&str>) -> Option<Value> {
    serde_json::from_str(text?).ok()
}
