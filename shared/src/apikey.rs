//! API keys: how machines say who they are.
//!
//! A key is `cdk_` and 55 bytes in base 32: the tenant (16), the key's id (16), a secret (19), and a CRC-32 of those,
//! so that a mistyped key is told from a revoked one without a look at the table, and scanners recognise a leaked
//! one. Only a SHA-256 of the whole is stored: the secret has 152 random bits, so there is nothing to guess.

use jiff::Timestamp;
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    id::{BASE32, KeyId, TenantId},
    key::{self, Key},
    table::Row,
};

const PREFIX: &str = "cdk_";
const SECRET: usize = 19;

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Send booking events and read the health of their delivery.
    BookingEvents,
    /// Send Make.com usage.
    MakeOperations,
    /// Send conversation, message and ticket activity.
    Activity,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::BookingEvents, Self::MakeOperations, Self::Activity];
}

/// A key as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its id, which stands in the key.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// SHA-256 of the key, in hexadecimal.
    pub hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

impl Row for ApiKey {
    const KIND: &'static str = "api_key";

    fn key(&self) -> Key<Self> {
        key::api_key(self.tenant, self.id)
    }
}

impl ApiKey {
    /// A new key: the row to store, and the key itself, which is shown once.
    pub fn issue(
        tenant: TenantId,
        name: String,
        scopes: Vec<Scope>,
        now: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> (Self, SecretString) {
        let id = KeyId::new();
        let mut secret = [0; SECRET];
        rand::rng().fill_bytes(&mut secret);
        let mut bytes = [tenant.as_bytes().as_slice(), id.as_bytes(), &secret].concat();
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        let shown = SecretString::from(format!("{PREFIX}{}", BASE32.encode(&bytes)));
        let stored = Self { tenant, id, name, scopes, hash: hash(shown.expose_secret()), created_at: now, expires_at };
        (stored, shown)
    }

    /// Whether this very key was presented, and still holds.
    pub fn admits(&self, presented: &Presented, now: Timestamp) -> bool {
        let same = self.hash.as_bytes().ct_eq(presented.hash.as_bytes());
        bool::from(same) && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A key that somebody presented: well formed, not yet looked up.
pub struct Presented {
    /// The tenant that it claims.
    pub tenant: TenantId,
    /// The key that it claims to be.
    pub id: KeyId,
    hash: String,
}

impl Presented {
    /// Reads a key; `None` for what never was one.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = BASE32.decode(text.strip_prefix(PREFIX)?.as_bytes()).ok()?;
        let (body, sum) = bytes.split_at_checked(16 + 16 + SECRET)?;
        if sum != crc32fast::hash(body).to_be_bytes() {
            return None;
        }
        Some(Self {
            tenant: TenantId::from_bytes(body[..16].try_into().ok()?),
            id: KeyId::from_bytes(body[16..32].try_into().ok()?),
            hash: hash(text),
        })
    }
}

fn hash(key: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(expires_at: Option<Timestamp>) -> (ApiKey, SecretString) {
        ApiKey::issue(TenantId::new(), "ci".into(), vec![Scope::Activity], Timestamp::now(), expires_at)
    }

    #[test]
    fn a_key_admits_itself_alone() {
        let (stored, shown) = issue(None);
        let (_, other) = issue(None);
        let now = Timestamp::now();

        assert!(stored.admits(&Presented::read(shown.expose_secret()).unwrap(), now));
        assert!(!stored.admits(&Presented::read(other.expose_secret()).unwrap(), now));
    }

    #[test]
    fn a_key_names_its_tenant_and_itself() {
        let (stored, shown) = issue(None);
        let presented = Presented::read(shown.expose_secret()).unwrap();
        assert_eq!((presented.tenant, presented.id), (stored.tenant, stored.id));
    }

    #[test]
    fn one_wrong_letter_is_noticed() {
        let (_, shown) = issue(None);
        let shown = shown.expose_secret();
        let last = if shown.ends_with('0') { "1" } else { "0" };
        assert!(Presented::read(&format!("{}{last}", &shown[..shown.len() - 1])).is_none());
        assert!(Presented::read("cdk_").is_none());
        assert!(Presented::read("sk_live_nothing").is_none());
    }

    #[test]
    fn an_ended_key_admits_nobody() {
        let now = Timestamp::now();
        let (stored, shown) = issue(Some(now));
        assert!(!stored.admits(&Presented::read(shown.expose_secret()).unwrap(), now));
    }
}
