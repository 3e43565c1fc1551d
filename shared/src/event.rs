//! An event: something that happened, accepted once.
//!
//! The row is the log and the idempotency at once: its id is derived from what makes two reports the same event, and
//! storing it is one conditional write. The table's stream carries it on from there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod message;
mod payload;

pub use message::Email;
pub use payload::{Context, Form, details, is_of, person};

use crate::{
    booking::Operation,
    error::Result,
    id::{AlertId, AutomationId, EndpointId, EventId, TenantId},
    key::{self, Key},
    table::{Created, Row, Table},
    trace::TraceId,
};

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Whose.
    pub tenant: TenantId,
    /// Its id, derived from its content.
    pub id: EventId,
    /// What happened: `booking.updated`, `booking_event.created`, `automation.executed`, …
    pub event_type: String,
    /// What ties it to all that it causes.
    pub trace: TraceId,
    /// When it was stored.
    pub accepted_at: Timestamp,
    /// When it happened, where the sender says so.
    pub occurred_at: Option<Timestamp>,
    /// The one endpoint that it goes to; without it, every endpoint that subscribes to its type.
    pub to: Option<EndpointId>,
    /// How it came to be known.
    #[serde(default, skip_serializing_if = "Origin::is_live")]
    pub origin: Origin,
    /// What it says.
    pub content: Content,
}

/// How an event came to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Its sender reported it.
    #[default]
    Live,
    /// Nobody reported it; the source was compared with what had come in.
    Reconciled,
}

impl Origin {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_live(&self) -> bool {
        *self == Self::Live
    }
}

/// What an event says, in the form of its source. Texts are JSON as it came, so that no digit of a number is lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Content {
    /// A row of the booking system changed.
    Booking {
        /// What was done to the row.
        operation: Operation,
        /// `booking_events` or `bookings`.
        table: String,
        /// The row as it is.
        record: Option<String>,
        /// The row as it was.
        old_record: Option<String>,
    },
    /// An automation was run.
    Automation {
        /// Which.
        automation: AutomationId,
        /// The template that it was made from.
        template: String,
        /// What its caller sent.
        data: String,
    },
    /// An alert opened, or ended.
    Alert {
        /// Which.
        alert: AlertId,
        /// What happened, in a line.
        title: String,
        /// What is to be known first, by name.
        facts: Vec<(String, String)>,
        /// The alert as it was then.
        data: String,
    },
}

impl Content {
    /// Where it happened, as receivers are told.
    fn source(&self) -> &'static str {
        match self {
            Self::Booking { .. } => "contract-management-system",
            Self::Automation { .. } | Self::Alert { .. } => "crossdock",
        }
    }
}

impl Row for Event {
    const KIND: &'static str = "event";

    fn key(&self) -> Key<Self> {
        key::event(self.tenant, self.id)
    }
}

/// The id of the event that these parts, and no others, make.
pub fn identity(tenant: TenantId, parts: &[&[u8]]) -> EventId {
    let mut hash = Sha256::new_with_prefix(tenant.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    EventId::from_bytes(id)
}

/// Stores an event, once. Whether it was there already, and the row that is there now.
pub async fn accept(table: &Table, event: Event) -> Result<(Event, bool)> {
    match table.create(&event).await? {
        Created::New => Ok((event, false)),
        Created::Was(earlier) => Ok((*earlier, true)),
    }
}

impl Event {
    /// When it happened, as far as its sender says so.
    pub fn time(&self) -> Timestamp {
        self.occurred_at.unwrap_or(self.accepted_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_make_the_same_event_and_others_another() {
        let tenant = TenantId::new();
        assert_eq!(identity(tenant, &[b"a", b"b"]), identity(tenant, &[b"a", b"b"]));
        assert_ne!(identity(tenant, &[b"a", b"b"]), identity(tenant, &[b"ab", b""]));
        assert_ne!(identity(tenant, &[b"a"]), identity(TenantId::new(), &[b"a"]));
    }
}
