//! Who listens: open connections, the channels that each follows, and how many a person has.
//!
//! A [`Listener`] names the channels that it follows, a [`Subscription`] in the channel's own partition says how far it
//! has come: an event finds its followers by one query, a message its subscriptions by one row. Every change of what a
//! listener follows raises its revision, so that whoever removes it removes all of it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    id::TenantId,
    key::{self, Index, Key},
    live::Channel,
    table::Row,
};

/// API Gateway ends every connection after two hours, and one on which nobody speaks after ten minutes (quotas of
/// WebSocket APIs). We end one whose token ends. All are told before.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(2);
/// How long before the end of the two hours, or of the token, it is told.
pub const END_TOLD: SignedDuration = SignedDuration::from_mins(5);
/// A client that says nothing for so long is told.
pub const IDLE_TOLD: SignedDuration = SignedDuration::from_mins(8);
/// And after so long its connection is closed.
pub const IDLE: SignedDuration = SignedDuration::from_mins(10);

/// What is left of a connection when nobody removed it.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(3);

/// An open connection of a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listener {
    /// Whose.
    pub tenant: TenantId,
    /// The id that API Gateway gave the connection.
    pub connection: String,
    /// The person.
    pub subject: String,
    /// The channels that it follows.
    #[serde(default)]
    pub channels: BTreeSet<Channel>,
    /// Grows with every change of the channels.
    pub revision: u64,
    /// When it was opened.
    pub connected_at: Timestamp,
    /// When its client last said something.
    pub heard_at: Timestamp,
    /// The silence that its client was told of: the `heard_at` from which it lasts.
    pub silence_told: Option<Timestamp>,
    /// Whether its client was told of the end of its two hours, or of its token.
    pub end_told: bool,
    /// When the token ends that opened it.
    #[serde(default)]
    pub token_until: Option<Timestamp>,
}

impl Listener {
    /// One that has just been opened.
    pub fn opened(tenant: TenantId, connection: &str, subject: &str, now: Timestamp) -> Self {
        Self {
            tenant,
            connection: connection.into(),
            subject: subject.into(),
            channels: BTreeSet::new(),
            revision: 0,
            connected_at: now,
            heard_at: now,
            silence_told: None,
            end_told: false,
            token_until: None,
        }
    }

    /// The same, by a token that ends then.
    pub fn until(self, token_until: Option<Timestamp>) -> Self {
        Self { token_until, ..self }
    }

    /// When it ends, whatever happens: with its token, or by API Gateway after two hours.
    pub fn expires_at(&self) -> Timestamp {
        let longest = self.connected_at + LONGEST;
        self.token_until.map_or(longest, |until| until.min(longest))
    }

    /// Whether it is its token that ends it.
    pub fn ends_by_token(&self) -> bool {
        self.expires_at() < self.connected_at + LONGEST
    }

    /// When it is closed unless its client says something.
    pub fn idle_at(&self) -> Timestamp {
        self.heard_at + IDLE
    }

    /// Whether its client knows of the silence that lasts.
    pub fn knows_silence(&self) -> bool {
        self.silence_told == Some(self.heard_at)
    }

    /// When it has to be looked at next: to tell something, or to remove it.
    pub fn next_look(&self) -> Timestamp {
        let silence = if self.knows_silence() { self.idle_at() } else { self.heard_at + IDLE_TOLD };
        let end = if self.end_told { self.expires_at() } else { self.expires_at() - END_TOLD };
        silence.min(end)
    }
}

impl Row for Listener {
    const KIND: &'static str = "listener";

    fn key(&self) -> Key<Self> {
        key::listener(self.tenant, &self.connection)
    }

    fn index(&self) -> Option<Index> {
        Some(key::listeners_by(self.next_look()))
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.connected_at + FORGOTTEN)
    }
}

/// That a connection follows a channel, and how far it has come.
///
/// One process at a time sends to it: whoever holds its lease. Who comes while another holds it leaves the number that
/// it `wanted`, and the holder lets go only when that number is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// Whose.
    pub tenant: TenantId,
    /// What it follows.
    pub channel: Channel,
    /// The connection.
    pub connection: String,
    /// The last number that was sent.
    pub sent: u64,
    /// The last number that somebody wants sent.
    pub wanted: u64,
    /// Who sends to it now.
    pub lease: Option<String>,
    /// Until when, in milliseconds since 1970. It stands also where nobody sends because the connection `rests`.
    pub leased_until: Option<i64>,
    /// Whether the connection took nothing in time, and is left alone until then but for its client's own messages.
    #[serde(default)]
    pub rests: bool,
    /// When nothing is sent to it any more: the end of its connection.
    #[serde(default)]
    pub ends_at: Option<Timestamp>,
    /// When its connection is forgotten.
    pub forget_at: Timestamp,
}

impl Subscription {
    /// One that begins behind a number, held by whoever makes it.
    pub fn begun(listener: &Listener, channel: &Channel, since: u64, lease: &str, until: i64) -> Self {
        Self {
            tenant: listener.tenant,
            channel: channel.clone(),
            connection: listener.connection.clone(),
            sent: since,
            wanted: since,
            lease: Some(lease.into()),
            leased_until: Some(until),
            rests: false,
            ends_at: Some(listener.expires_at()),
            forget_at: listener.connected_at + FORGOTTEN,
        }
    }

    /// Whether the connection is left alone at that time.
    pub fn is_resting(&self, now: Timestamp) -> bool {
        self.rests && self.leased_until.is_some_and(|until| until > now.as_millisecond())
    }

    /// Whether nothing may be sent to it any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }
}

impl Row for Subscription {
    const KIND: &'static str = "subscription";

    fn key(&self) -> Key<Self> {
        key::subscription(self.tenant, &self.channel, &self.connection)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.forget_at)
    }
}

/// The open connections of one person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Presence {
    /// Where the person works.
    pub tenant: TenantId,
    /// The person.
    pub subject: String,
    /// Its connections.
    pub connections: Vec<Seat>,
    /// Grows with every change.
    pub revision: u64,
}

/// One of a person's connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The connection.
    pub connection: String,
    /// When it was opened.
    pub at: Timestamp,
}

impl Presence {
    /// How long the row is kept when nothing changes it.
    pub fn forgotten(now: Timestamp) -> Timestamp {
        now + FORGOTTEN
    }
}

impl Row for Presence {
    const KIND: &'static str = "presence";

    fn key(&self) -> Key<Self> {
        key::presence(self.tenant, &self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(listener: &Listener) -> i64 {
        listener.next_look().duration_since(listener.connected_at).as_mins()
    }

    #[test]
    fn a_listener_is_looked_at_before_each_of_its_ends() {
        let now = "2026-11-21T10:00:00Z".parse().expect("a moment");
        let mut listener = Listener::opened(TenantId::new(), "c1", "u1", now);
        assert_eq!(minutes(&listener), 8, "silence is told");
        listener.silence_told = Some(listener.heard_at);
        assert_eq!(minutes(&listener), 10, "and ends the connection");
        listener.heard_at = now + SignedDuration::from_mins(112);
        assert_eq!(minutes(&listener), 115, "the end of two hours is told");
        listener.end_told = true;
        assert_eq!(minutes(&listener), 120, "and comes");
    }

    #[test]
    fn a_token_that_ends_before_the_two_hours_ends_the_connection() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().expect("a moment");
        let opened = || Listener::opened(TenantId::new(), "c1", "u1", now);
        let in_minutes = |minutes| opened().until(Some(now + SignedDuration::from_mins(minutes)));
        let mut listener = in_minutes(60);
        listener.heard_at = now + SignedDuration::from_mins(54);
        assert_eq!((minutes(&listener), listener.ends_by_token()), (55, true), "its end is told");
        listener.end_told = true;
        assert_eq!(minutes(&listener), 60, "and comes");
        assert_eq!((in_minutes(180).expires_at(), in_minutes(180).ends_by_token()), (now + LONGEST, false));
        assert_eq!((opened().expires_at(), opened().ends_by_token()), (now + LONGEST, false));
        assert!(minutes(&in_minutes(2)) <= 0, "what ends soon is told at once");
    }
}
