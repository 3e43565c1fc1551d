//! What the tenant has stored of its bookings and their people, kept current from the events themselves.
//!
//! A [`Kept`] row is the latest known version of one row of the source. Deliveries take context from it, live channels
//! the ids of the people, and the reconciler what has been seen.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;

mod change;
mod keep;
#[cfg(test)]
mod tests;

pub use change::{Change, Operation};
pub use keep::{Link, MOST_BOOKINGS, keep};

use crate::{
    error::Result,
    event::{Content, Context, Event, Origin, details, is_of},
    id::{EventId, TenantId},
    key::{self, Key},
    raw::columns,
    table::{Row, Table},
};

/// The tables of the source whose rows are taken.
pub const TABLES: [&str; 4] = [BOOKINGS, BOOKING_EVENTS, CLIENTS, PROVIDERS];
/// What is booked.
pub const BOOKINGS: &str = "bookings";
/// What happened to a booking, as the source itself notes it.
pub const BOOKING_EVENTS: &str = "booking_events";
/// Who books.
pub const CLIENTS: &str = "clients";
/// Who provides.
pub const PROVIDERS: &str = "providers";

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
    /// What decides between two reports of the row: the greater is the newer.
    #[serde(default)]
    pub order: String,
    /// Of a booking: which of its people are linked to it.
    pub linked: Option<String>,
    /// Grows with every change of this row.
    #[serde(default)]
    pub revision: u64,
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

/// A delivery waits so long for its context at most.
const PATIENCE: Duration = Duration::from_millis(300);

/// What is known around an event beyond what it says itself: nothing where it says all, or where the table does not
/// answer in 300 ms. A delivery never waits for its context longer than that, and never fails for it.
pub async fn context(table: &Table, event: &Event) -> Context {
    let own = event.own_context();
    if own.booking_details.is_some() && own.client_info.is_some() && own.provider_info.is_some() {
        return Context::default();
    }
    match timeout(PATIENCE, kept_booking(table, event)).await {
        Ok(Ok(kept)) => kept.map(|kept| kept.context()).unwrap_or_default(),
        Ok(Err(error)) => {
            tracing::warn!(error = ?error, "told without its context: {error}");
            Context::default()
        }
        Err(_) => {
            tracing::warn!("told without its context: the table took too long");
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
    /// What it tells around an event of this booking. Its people are named a moment after they have changed: until
    /// then nobody is.
    pub fn context(&self) -> Context {
        let row = self.record.as_deref().and_then(columns).unwrap_or_default();
        let of = |field: &str, info: &Option<String>| {
            info.clone().filter(|info| row.get(field).is_some_and(|id| is_of(info, id)))
        };
        Context {
            client_info: of("client_id", &self.client_info),
            provider_info: of("provider_id", &self.provider_info),
            booking_details: (!row.is_empty()).then(|| details(&row)),
        }
    }
}

/// The longest id of a row: longer ones are none.
pub const LONGEST_ID: usize = 200;

/// An id of a row: a text, or a number as its digits.
pub fn id_in(row: &Value, field: &str) -> Option<String> {
    match row.get(field)? {
        Value::String(text) if (1..=LONGEST_ID).contains(&text.len()) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The version of a row: microseconds since 1970 of its `updated_at`, else of its `created_at`.
pub fn version(row: &Value) -> Option<i64> {
    let at = moment(row, "updated_at").or_else(|| moment(row, "created_at"))?;
    Some(at.as_microsecond())
}

/// A time of a row. Postgres's `timestamp without time zone` comes without an offset, and is taken as UTC.
pub fn moment(row: &Value, field: &str) -> Option<Timestamp> {
    let text = row.get(field)?.as_str()?;
    let bare = || Some(text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp());
    text.parse().ok().or_else(bare)
}

fn parsed(text: Option<&str>) -> Option<Value> {
    serde_json::from_str(text?).ok()
}
