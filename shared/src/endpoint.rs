//! An endpoint: somewhere outside that events are delivered to, and how well it takes them.
//!
//! ```text
//!            3 failures in a row            10 in a row over 10 minutes
//!   active ─────────────────────► degraded ─────────────────────────────► held
//!     ▲                              │                                      │
//!     └──────── a success ───────────┴───────── a probe succeeds ───────────┘
//!
//!   any ── 410 Gone, or a person ──► disabled ── a person ──► active
//!   any but disabled ── its receiver is off ──► held for its receiver ── the receiver is back, or a person ──► active
//! ```
//!
//! What is due to a held or disabled endpoint is parked, never dropped.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    event::Form,
    id::{EndpointId, TenantId},
    key::{self, Index, Key},
    secrets::{Keyring, Sealed, fingerprint, webhook_secret},
    table::Row,
};

pub mod tally;

/// Failures in a row after which an endpoint counts as degraded.
pub const DEGRADED_AFTER: u32 = 3;
/// Failures in a row, and for how long, after which it is held.
pub const HELD_AFTER: (u32, SignedDuration) = (10, SignedDuration::from_mins(10));

/// Somewhere outside that events are delivered to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// Whose.
    pub tenant: TenantId,
    /// Its id.
    pub id: EndpointId,
    /// What people call it.
    pub name: String,
    /// Its host, to be shown: the whole address is a secret (a Make webhook's address is its credential).
    pub host: String,
    /// Its address.
    pub url: Sealed,
    /// Signs what is sent.
    pub secret: Sealed,
    /// First characters of the secret's SHA-256.
    pub fingerprint: String,
    /// Signs too, until it ends.
    pub previous: Option<Previous>,
    /// The key that a Make webhook asks for in `x-make-apikey`.
    pub make_key: Option<Sealed>,
    /// The types of event that it wants; `booking.*` for all that begin so. None: only what is sent to it by name.
    pub event_types: Vec<String>,
    /// The form in which it is told.
    #[serde(default)]
    pub form: Form,
    /// For how many days the log of its settled deliveries is kept.
    #[serde(default = "month")]
    pub retention_days: u16,
    /// Grows with each change that a person makes.
    #[serde(default)]
    pub revision: u32,
    /// How well it takes what is sent.
    pub state: State,
    /// What holds it, while it is held.
    #[serde(default)]
    pub held_by: Holder,
    /// How much of its full pace it is sent, in percent, while its receiver fills up.
    #[serde(default = "full")]
    pub pace: u8,
    /// Why it is in that state.
    pub reason: Option<String>,
    /// Failures since the last success.
    pub failures: u32,
    /// The first of them.
    pub failing_since: Option<Timestamp>,
    /// Probes since it was held.
    pub probes: u32,
    /// When to look after it: the next probe while it is held; what still waits for it, after it was opened.
    pub check_at: Option<Timestamp>,
    /// When it was opened again.
    pub opened_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a new endpoint is made of.
pub struct Plan {
    /// Its id: [`subscriber`] or [`target`].
    pub id: EndpointId,
    /// What people call it.
    pub name: String,
    /// The host of its address.
    pub host: String,
    /// Its address, checked by the guard of the way out.
    pub url: SecretString,
    /// The key that a Make webhook asks for.
    pub make_key: Option<SecretString>,
    /// The types of event that it wants.
    pub event_types: Vec<String>,
}

/// What holds an endpoint that is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EndpointHolder)]
pub enum Holder {
    /// Its failures: a probe that succeeds opens it.
    #[default]
    Failures,
    /// What its receiver's own interface says, for instance that the scenario is off. It would take what is sent and do
    /// nothing with it, so no probe opens it: whoever watches the receiver does.
    Receiver,
}

/// For how many days a log is kept, unless its endpoint says otherwise.
fn month() -> u16 {
    30
}

/// The pace of an endpoint whose receiver keeps up, in percent.
fn full() -> u8 {
    100
}

/// Whether a type of event is the one that is wanted, or begins as it says: `booking.*`.
pub fn fits(wanted: &str, event_type: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(prefix) => event_type.starts_with(prefix),
        None => wanted == event_type,
    }
}

/// Whether a text can be the key of a Make webhook: Make.com's own rule (apps.make.com, gateway).
pub fn is_make_key(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic())
}

/// A secret that was replaced and still holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Previous {
    /// The secret.
    pub secret: Sealed,
    /// When it ends.
    pub until: Timestamp,
}

/// The id of a new endpoint that subscribes to types of event.
pub fn subscriber() -> EndpointId {
    marked(0)
}

/// The id of a new endpoint that is sent to by name alone, as an automation's is. Such ones are stored apart: who routes
/// an event reads the subscribers, however many automations there are.
pub fn target() -> EndpointId {
    marked(1)
}

/// Whether the id is that of an endpoint that is sent to by name alone.
pub fn is_target(id: EndpointId) -> bool {
    id.as_bytes()[15] & 1 == 1
}

/// The last of its random bits says which of the two it is: the id alone leads to its row.
fn marked(bit: u8) -> EndpointId {
    let mut id = *EndpointId::new().as_bytes();
    id[15] = id[15] & !1 | bit;
    EndpointId::from_bytes(id)
}

/// How well an endpoint takes what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EndpointState)]
pub enum State {
    /// It takes what it is sent.
    Active,
    /// It has failed a few times in a row; everything is still tried.
    Degraded,
    /// It fails all the time: deliveries are parked until a probe gets through.
    Held,
    /// Closed by a person or by 410 Gone: deliveries are parked until a person opens it.
    Disabled,
}

impl State {
    /// Whether deliveries wait instead of being tried.
    pub fn parks(self) -> bool {
        match self {
            Self::Active | Self::Degraded => false,
            Self::Held | Self::Disabled => true,
        }
    }
}

impl Row for Endpoint {
    const KIND: &'static str = "endpoint";

    fn key(&self) -> Key<Self> {
        key::endpoint(self.tenant, self.id)
    }

    fn index(&self) -> Option<Index> {
        self.check_at.map(|at| key::due(self.id.as_bytes(), at))
    }
}

impl Endpoint {
    /// Whether it wants events of that type.
    pub fn wants(&self, event_type: &str) -> bool {
        self.event_types.iter().any(|wanted| fits(wanted, event_type))
    }

    /// A new one, open, its address and keys sealed; and the secret that signs what it is sent, shown once.
    pub fn new(keyring: &Keyring, tenant: TenantId, plan: Plan, now: Timestamp) -> Result<(Self, SecretString)> {
        let (owner, place) = (tenant.to_string(), plan.id.to_string());
        let seal = |field, text: &SecretString| keyring.seal(Self::place(&owner, &place, field), text);
        let secret = webhook_secret();
        let endpoint = Self {
            tenant,
            id: plan.id,
            name: plan.name,
            host: plan.host,
            url: seal("url", &plan.url)?,
            secret: seal("secret", &secret)?,
            fingerprint: fingerprint(&secret),
            previous: None,
            make_key: plan.make_key.as_ref().map(|key| seal("make_key", key)).transpose()?,
            event_types: plan.event_types,
            form: Form::default(),
            retention_days: month(),
            revision: 0,
            state: State::Active,
            held_by: Holder::default(),
            pace: full(),
            reason: None,
            failures: 0,
            failing_since: None,
            probes: 0,
            check_at: None,
            opened_at: None,
            created_at: now,
        };
        Ok((endpoint, secret))
    }

    /// Where its secrets are bound to.
    pub fn place<'a>(tenant: &'a str, id: &'a str, field: &'a str) -> [&'a str; 3] {
        [tenant, id, field]
    }

    /// The version of what people have set, as `ETag` names it.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.revision)
    }

    /// For how long the log of its settled deliveries is kept.
    pub fn keep(&self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.retention_days))
    }

    /// What a failure now makes of it.
    pub fn after_failure(&self, now: Timestamp) -> State {
        let failures = self.failures + 1;
        let since = self.failing_since.unwrap_or(now);
        match self.state {
            State::Held | State::Disabled => self.state,
            _ if failures >= HELD_AFTER.0 && now.duration_since(since) >= HELD_AFTER.1 => State::Held,
            _ if failures >= DEGRADED_AFTER => State::Degraded,
            state => state,
        }
    }
}

/// When to probe again after so many probes: 1, 2, 4, … minutes, at most an hour.
pub fn next_probe(probes: u32, now: Timestamp) -> Timestamp {
    now + SignedDuration::from_mins(1 << probes.min(6)).min(SignedDuration::from_hours(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_grow_to_an_hour() {
        let now = Timestamp::UNIX_EPOCH;
        let minutes: Vec<i64> = (0..9).map(|n| next_probe(n, now).as_second() / 60).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
