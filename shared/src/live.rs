//! Live channels: the numbered history of what happens to a booking, a user, a provider or a whole tenant.
//!
//! An event gets its number in every channel in one transaction with its [`Numbered`] row, so that it is numbered once
//! however often its record is seen, and numbers grow by one without a gap.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    booking::Subjects,
    error::Result,
    id::{EventId, TenantId},
    key::{self, Key},
    table::{Page, Row, Table},
    trace::TraceId,
};

/// Whose events: written `booking:<id>`, `user:<id>`, `provider:<id>` or `tenant`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Of one booking.
    Booking(String),
    /// Of the bookings of one user.
    User(String),
    /// Of the bookings of one provider.
    Provider(String),
    /// Of all bookings.
    Tenant,
}

/// The longest id in the name of a channel.
const LONGEST_ID: usize = 200;

impl Channel {
    /// The channels that an event of these subjects stands in. What is called too long to be subscribed to has none.
    pub fn of(subjects: &Subjects) -> Vec<Self> {
        if subjects.booking.is_none() {
            return Vec::new();
        }
        let users = subjects.users.iter().cloned().map(Self::User);
        let named = subjects.booking.iter().cloned().map(Self::Booking);
        let mut all: Vec<Self> = named
            .chain(users)
            .chain(subjects.provider.iter().cloned().map(Self::Provider))
            .filter(|channel| channel.id().chars().count() <= LONGEST_ID)
            .collect();
        all.push(Self::Tenant);
        all
    }

    /// The id in its name.
    pub fn id(&self) -> &str {
        match self {
            Self::Booking(id) | Self::User(id) | Self::Provider(id) => id,
            Self::Tenant => "",
        }
    }
}

/// The last number that a channel can have.
pub const LAST: u64 = 999_999_999_999;

/// The last number of a channel, 0 where it has none. Costs one read of an entry.
pub async fn head(table: &Table, tenant: TenantId, channel: &Channel) -> Result<u64> {
    let all = key::live_entries(tenant, channel, 1, LAST);
    let last = table.list(&all, Page { limit: 1, after: None, newest_first: true }).await?;
    Ok(last.rows.first().map_or(0, |entry| entry.number))
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Booking(id) => write!(f, "booking:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Provider(id) => write!(f, "provider:{id}"),
            Self::Tenant => f.write_str("tenant"),
        }
    }
}

/// A text names no channel.
#[derive(Debug, thiserror::Error)]
#[error("must be booking:<id>, user:<id>, provider:<id> or tenant, the id of 1 to 200 characters")]
pub struct NotAChannel;

impl FromStr for Channel {
    type Err = NotAChannel;

    fn from_str(text: &str) -> Result<Self, NotAChannel> {
        if text == "tenant" {
            return Ok(Self::Tenant);
        }
        let (kind, id) = text.split_once(':').ok_or(NotAChannel)?;
        if id.is_empty() || id.chars().count() > LONGEST_ID {
            return Err(NotAChannel);
        }
        match kind {
            "booking" => Ok(Self::Booking(id.into())),
            "user" => Ok(Self::User(id.into())),
            "provider" => Ok(Self::Provider(id.into())),
            _ => Err(NotAChannel),
        }
    }
}

impl Serialize for Channel {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One number of a channel, and the event that has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Whose.
    pub tenant: TenantId,
    /// In which channel.
    pub channel: Channel,
    /// From 1, growing by one.
    pub number: u64,
    /// The event.
    pub event: EventId,
    /// When it was numbered.
    pub at: Timestamp,
}

impl Row for Entry {
    const KIND: &'static str = "live_entry";

    fn key(&self) -> Key<Self> {
        key::live_entry(self.tenant, &self.channel, self.number)
    }
}

/// An event has its numbers. It stands in the partition of its trace, and so leads from a trace to its events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Numbered {
    /// Whose.
    pub tenant: TenantId,
    /// The trace of the event.
    pub trace: TraceId,
    /// The event.
    pub event: EventId,
    /// Its number in each of its channels; none for events that have no channel.
    pub numbers: BTreeMap<String, u64>,
    /// When it was numbered.
    pub at: Timestamp,
}

impl Row for Numbered {
    const KIND: &'static str = "numbered";

    fn key(&self) -> Key<Self> {
        key::numbered(self.tenant, self.trace, self.event)
    }
}
