//! A secret gives way to a new one: for an overlap both hold, so that the other side can change over when it likes.
//!
//! There is one secret before the present one at most: rotated again within an overlap, the oldest ends now. Of several
//! who rotate at the same moment one holds.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::{
    endpoint::Previous,
    error::{Error, Result},
    http::Call,
    secrets::{Sealed, fingerprint, webhook_secret},
    table::{Change, Row},
};

/// Hours that the present secret still holds, unless given; and the most that may be given.
const HOURS: i64 = 24;
const MOST: i64 = 168;

/// For how long the present secret still holds: `overlap_hours` of the body, 0 to 168. An empty body is taken for `{}`.
pub fn overlap(call: &Call) -> Result<SignedDuration> {
    if call.body().is_empty() {
        return Ok(SignedDuration::from_hours(HOURS));
    }
    let mut body = call.fields()?;
    let hours = body.or("overlap_hours", HOURS);
    if hours.is_some_and(|hours| !(0..=MOST).contains(&hours)) {
        body.fault("overlap_hours", format!("must be 0 to {MOST}"));
    }
    body.build(|| hours.map(SignedDuration::from_hours))
}

/// A new secret, and what becomes of the one before it.
pub struct Rotation {
    /// The new one.
    pub secret: SecretString,
    /// First characters of its SHA-256.
    pub fingerprint: String,
    /// The one before it, where it still holds.
    pub previous: Option<Previous>,
}

impl Rotation {
    /// Over the present secret, which holds for the overlap.
    pub fn over(present: Sealed, overlap: SignedDuration, now: Timestamp) -> Self {
        let secret = webhook_secret();
        let previous = overlap.is_positive().then(|| Previous { secret: present, until: now + overlap });
        Self { fingerprint: fingerprint(&secret), secret, previous }
    }

    /// Writes it with a change of the row that has the secret, where the secret is still the one that was read: 409 where
    /// somebody else has rotated it, and theirs holds.
    pub async fn write<E: Row>(&self, change: Change<'_, E>, sealed: Sealed, seen: &str) -> Result<E> {
        change
            .set("secret", sealed)
            .set("fingerprint", &self.fingerprint)
            .set_or_remove("previous", self.previous.as_ref())
            .when("fingerprint", seen)
            .send()
            .await?
            .ok_or_else(|| Error::conflict("the secret was changed by somebody else at the same moment"))
    }

    /// Until when the one before it still holds; none where it ended at once.
    pub fn previous_until(&self) -> Option<Timestamp> {
        self.previous.as_ref().map(|previous| previous.until)
    }
}
