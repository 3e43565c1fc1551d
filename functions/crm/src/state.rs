//! The state that travels through the browser, and what PKCE adds to it.
//!
//! A state is `cds_`, the tenant (26 characters) and 256 random bits, so that it leads to its tenant's rows without an
//! index. The table holds its SHA-256 only.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use rand::Rng;
use sha2::{Digest, Sha256};
use shared::id::TenantId;

const PREFIX: &str = "cds_";
const TENANT: usize = 26;
const RANDOM: usize = 43;

/// A state as the browser carries it.
pub struct State {
    /// The tenant that it claims.
    pub tenant: TenantId,
    /// The whole of it.
    pub text: String,
}

impl State {
    /// A new one.
    pub fn new(tenant: TenantId) -> Self {
        let id = tenant.to_string();
        let id = id.rsplit('_').next().unwrap_or_default();
        Self { tenant, text: format!("{PREFIX}{id}{}", unguessable()) }
    }

    /// Reads what came back, if it has the form of one.
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (id, random) = rest.split_at_checked(TENANT)?;
        (random.len() == RANDOM && is_unguessable(random)).then_some(())?;
        Some(Self { tenant: format!("{}_{id}", TenantId::PREFIX).parse().ok()?, text: text.into() })
    }

    /// What its row is found by.
    pub fn hash(&self) -> String {
        digest(&self.text)
    }
}

/// 256 random bits in 43 characters that URLs, cookies and PKCE take as they are.
pub fn unguessable() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    BASE64URL_NOPAD.encode(&bytes)
}

/// Whether it has the form of those.
pub fn is_unguessable(text: &str) -> bool {
    text.len() == RANDOM && BASE64URL_NOPAD.decode(text.as_bytes()).is_ok()
}

/// SHA-256 in hexadecimal.
pub fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

/// The S256 challenge of a verifier (RFC 7636).
pub fn challenge(verifier: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_leads_to_its_tenant() {
        let tenant = TenantId::new();
        let state = State::new(tenant);

        let read = State::read(&state.text).unwrap();

        assert_eq!((read.tenant, read.hash()), (tenant, state.hash()));
        assert_ne!(State::new(tenant).text, state.text);
    }

    #[test]
    fn what_is_no_state_is_not_read() {
        let good = State::new(TenantId::new()).text;
        for bad in
            ["", "cds_", "x", &good[1..], &good[..good.len() - 1], &format!("{good}x"), &good.replace("cds_", "cdk_")]
        {
            assert!(State::read(bad).is_none(), "{bad}");
        }
        assert!(State::read("cds_ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ").is_none());
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
