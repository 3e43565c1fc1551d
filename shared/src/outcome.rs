//! The end of a trace: what the receiver says of a delivery, by a signed link that the delivery carried.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    delivery::Delivery,
    error::Result,
    id::{DeliveryId, TenantId},
    key::{self, Key},
    secrets::Keyring,
    table::Row,
    trace::TraceId,
};

/// How long after its event was accepted a link is good for.
pub const GOOD: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What our signature is for.
const PURPOSE: &str = "outcome";

/// The address under which a receiver tells what became of a delivery. `origin` is that of our API; without one there
/// is no link. The same delivery has the same link at every attempt, as long as the keyring is the same.
pub fn link(keyring: &Keyring, origin: &str, delivery: &Delivery) -> Result<Option<String>> {
    if origin.is_empty() {
        return Ok(None);
    }
    let (tenant, id, trace) = (delivery.tenant, delivery.id, delivery.trace);
    let until = (delivery.accepted_at + GOOD).as_second();
    let signature = keyring.sign(PURPOSE, &text(tenant, trace, id, until))?;
    let origin = origin.trim_end_matches('/');
    Ok(Some(format!(
        "{origin}/api/v1/traces/{trace}/outcome?tenant={tenant}&delivery={id}&until={until}&signature={signature}"
    )))
}

/// A link that came back: what it says of itself.
pub struct Link<'a> {
    /// Whose.
    pub tenant: TenantId,
    /// Of which trace.
    pub trace: TraceId,
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Until when it is good, in seconds since 1970.
    pub until: i64,
    /// Our signature over the rest.
    pub signature: &'a str,
}

/// Why a link is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// We have not signed it as it is.
    NotOurs,
    /// We have, and its time is over.
    Expired,
}

impl Link<'_> {
    /// Whether it is ours and still good. Takes as long for a near miss as for nonsense.
    pub fn check(&self, keyring: &Keyring, now: Timestamp) -> Result<(), Refused> {
        let Self { tenant, trace, delivery, until, signature } = *self;
        if !keyring.has_signed(PURPOSE, &text(tenant, trace, delivery, until), signature) {
            return Err(Refused::NotOurs);
        }
        if now.as_second() <= until { Ok(()) } else { Err(Refused::Expired) }
    }
}

fn text(tenant: TenantId, trace: TraceId, delivery: DeliveryId, until: i64) -> String {
    format!("{tenant}/{trace}/{delivery}/{until}")
}

/// What a receiver said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whose.
    pub tenant: TenantId,
    /// Of which trace.
    pub trace: TraceId,
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// The first hexadecimal digits of the SHA-256 of what was said: the same again is the same row.
    pub digest: String,
    /// How it ended.
    pub status: Status,
    /// In the receiver's words.
    pub message: Option<String>,
    /// The receiver's name of its run, for instance Make's execution id.
    pub execution_id: Option<String>,
    /// When it was said.
    pub at: Timestamp,
    /// When the row is forgotten.
    pub keep_until: Timestamp,
}

/// How a run at the receiver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OutcomeStatus)]
pub enum Status {
    /// All done.
    Success,
    /// Done, with something to look at.
    Warning,
    /// Not done.
    Error,
}

impl Row for Outcome {
    const KIND: &'static str = "outcome";

    fn key(&self) -> Key<Self> {
        key::outcome(self.tenant, self.trace, self.delivery, &self.digest)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.keep_until)
    }
}
