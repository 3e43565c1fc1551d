//! Cursors: where a list goes on. Opaque, bound to tenant, list and filters, good for a day.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    error::{Error, Result},
    http::{Call, Fields},
    id::TenantId,
    secrets::{Keyring, Sealed},
};

/// How much of a list is asked for, and from where.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// At most so many, 1 to 100; 25 unless given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100)]
    pub limit: u16,
    /// Where an earlier page ended: its `next_cursor`, good for a day.
    pub cursor: Option<String>,
}

impl Paging {
    /// The parameters `limit` and `cursor`.
    pub fn read(given: &mut Fields) -> Self {
        let limit = given.parsed::<u16>("limit");
        if limit.is_some_and(|limit| !(1..=100).contains(&limit)) {
            given.fault("limit", "must be from 1 to 100");
        }
        Self { limit: limit.unwrap_or(25), cursor: given.optional("cursor") }
    }

    /// Behind which row the page begins. `list` names the route and its filters.
    pub fn after(&self, keyring: &Keyring, call: &Call, tenant: TenantId, list: &str) -> Result<Option<String>> {
        self.cursor.as_ref().map(|cursor| read(keyring, tenant, list, cursor, call.now)).transpose()
    }
}

/// How long a cursor is good for.
const GOOD: SignedDuration = SignedDuration::from_hours(24);

/// Writes a cursor: `list` names the route and its filters, `after` is the last sort key that was shown.
pub fn write(keyring: &Keyring, tenant: TenantId, list: &str, after: &str, now: Timestamp) -> Result<String> {
    let text = SecretString::from(format!("{}/{after}", (now + GOOD).as_second()));
    let sealed = serde_json::to_value(keyring.seal(place(&tenant.to_string(), list), &text)?)
        .map_err(|cause| Error::internal("cursor", cause))?;
    let sealed = sealed.as_str().unwrap_or_default();
    Ok(data_encoding::BASE64URL_NOPAD.encode(sealed.as_bytes()))
}

/// Reads a cursor that was written for this very list.
pub fn read(keyring: &Keyring, tenant: TenantId, list: &str, cursor: &str, now: Timestamp) -> Result<String> {
    let unknown = || Error::invalid("?cursor", "is not a cursor of this list; begin again without one");
    let sealed = data_encoding::BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| unknown())?;
    let sealed: Sealed =
        String::from_utf8(sealed).ok().and_then(|text| serde_json::from_value(text.into()).ok()).ok_or_else(unknown)?;
    let text = keyring.open(place(&tenant.to_string(), list), &sealed).map_err(|_| unknown())?;
    let (until, after) = text.expose_secret().split_once('/').ok_or_else(unknown)?;
    if until.parse::<i64>().map_err(|_| unknown())? < now.as_second() {
        return Err(Error::invalid("?cursor", "has expired; begin again without one"));
    }
    Ok(after.into())
}

fn place<'a>(tenant: &'a str, list: &'a str) -> [&'a str; 3] {
    [tenant, list, "cursor"]
}
