//! Standard Webhooks signatures (the specification's version 1.0.0), out and in.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::error::{Error, Result};

/// How far the sender's clock may be off, either way.
pub const TOLERANCE_S: u64 = 300;
/// So many signatures are looked at.
pub const MOST_SIGNATURES: usize = 8;

/// The three headers for one attempt. Several secrets while one replaces another.
pub fn headers(secrets: &[&SecretString], id: &str, at: Timestamp, body: &[u8]) -> Result<HeaderMap> {
    let signatures = secrets
        .iter()
        .map(|secret| {
            let mac = mac(secret, id, at.as_second(), body)
                .ok_or_else(|| Error::internal("a webhook secret is not of its form", "whsec_ and base64"))?;
            Ok(format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes())))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.as_second().to_string()),
        ("webhook-signature", signatures.join(" ")),
    ] {
        let value = HeaderValue::from_str(&value).map_err(|cause| Error::internal("a signature header", cause))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

/// Why a signature does not hold. Callers learn no more than that it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A header is missing or not of its form.
    Headers,
    /// Signed too long ago, or too far ahead.
    Clock,
    /// Another secret, or another body.
    Signature,
}

/// Whether one of the secrets signed exactly these bytes, not long ago.
pub fn verify(secrets: &[SecretString], headers: &HeaderMap, now: Timestamp, body: &[u8]) -> Result<(), Flaw> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let (Some(id), Some(signed_at), Some(signatures)) = (
        text("webhook-id"),
        text("webhook-timestamp").and_then(|value| value.parse::<i64>().ok()),
        text("webhook-signature"),
    ) else {
        return Err(Flaw::Headers);
    };
    if now.as_second().abs_diff(signed_at) > TOLERANCE_S {
        return Err(Flaw::Clock);
    }
    // A sender that rotates its secret sends two; nobody makes us compare thousands.
    let given: Vec<Vec<u8>> = signatures
        .split(' ')
        .take(MOST_SIGNATURES)
        .filter_map(|signature| BASE64.decode(signature.strip_prefix("v1,")?.as_bytes()).ok())
        .collect();
    let holds = |secret: &SecretString| {
        let Some(expected) = mac(secret, id, signed_at, body).map(|mac| mac.finalize().into_bytes()) else {
            return false;
        };
        given.iter().any(|given| bool::from(expected.ct_eq(given)))
    };
    if secrets.iter().any(holds) { Ok(()) } else { Err(Flaw::Signature) }
}

/// What a sender has taken for the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyed {
    /// The bytes that the text behind `whsec_` stands for: the right one.
    Decoded,
    /// The text behind `whsec_`.
    Text,
    /// The whole text, `whsec_` included.
    Whole,
}

/// What a sender has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// `id.timestamp.body`: the right one.
    All,
    /// `timestamp.body`.
    WithoutId,
    /// `id.body`.
    WithoutTime,
    /// The body.
    BodyAlone,
}

/// A message as it came: its headers' texts, and its body.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Its `webhook-id`.
    pub id: &'a str,
    /// Its `webhook-timestamp`.
    pub time: &'a str,
    /// Its body.
    pub body: &'a [u8],
}

/// Which of the given signatures is the one that this secret makes in this way: for finding out what went wrong. Takes as
/// long for a near miss as for nonsense.
pub fn which(
    secret: &SecretString,
    (keyed, signed): (Keyed, Signed),
    message: Message<'_>,
    given: &[Vec<u8>],
) -> Option<usize> {
    let Message { id, time, body } = message;
    let text = secret.expose_secret();
    let behind = text.strip_prefix("whsec_").unwrap_or(text);
    let key = match keyed {
        Keyed::Decoded => BASE64.decode(behind.as_bytes()).ok()?,
        Keyed::Text => behind.as_bytes().to_vec(),
        Keyed::Whole => text.as_bytes().to_vec(),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    match signed {
        Signed::All => mac.update(format!("{id}.{time}.").as_bytes()),
        Signed::WithoutId => mac.update(format!("{time}.").as_bytes()),
        Signed::WithoutTime => mac.update(format!("{id}.").as_bytes()),
        Signed::BodyAlone => {}
    }
    mac.update(body);
    let expected = mac.finalize().into_bytes();
    let same = |given: &Vec<u8>| bool::from(expected.ct_eq(given));
    given.iter().take(MOST_SIGNATURES).map(same).collect::<Vec<_>>().iter().position(|same| *same)
}

/// Whether what was presented is one of the secrets. Takes as long for a near miss as for nonsense.
pub fn is_one_of(secrets: &[SecretString], presented: &[u8]) -> bool {
    let presented = Sha256::digest(presented);
    let same = |secret: &SecretString| presented.ct_eq(&Sha256::digest(secret.expose_secret()));
    secrets.iter().fold(Choice::from(0), |found, secret| found | same(secret)).into()
}

/// HMAC-SHA256 over `id.timestamp.body`, keyed by the decoded bytes of the secret.
fn mac(secret: &SecretString, id: &str, at: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
    let key = BASE64.decode(secret.expose_secret().strip_prefix("whsec_")?.as_bytes()).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn signed() -> (HeaderMap, Timestamp) {
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let headers =
            headers(&[&SECRET.into()], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#).unwrap();
        (headers, at)
    }

    #[test]
    fn the_specifications_vector_holds() {
        let (headers, _) = signed();
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_way_of_signing_is_told_from_the_others() {
        let secret = SecretString::from("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let message = Message {
            id: "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            time: "1649367553",
            body: br#"{"email":"test@example.com","username":"test_user"}"#,
        };
        let given = vec![b"short".to_vec(), BASE64.decode(b"tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=").unwrap()];
        for keyed in [Keyed::Decoded, Keyed::Text, Keyed::Whole] {
            for signed in [Signed::All, Signed::WithoutId, Signed::WithoutTime, Signed::BodyAlone] {
                let right = (keyed, signed) == (Keyed::Decoded, Signed::All);
                assert_eq!(
                    which(&secret, (keyed, signed), message, &given),
                    right.then_some(1),
                    "{keyed:?} {signed:?}"
                );
            }
        }
        let whole = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).unwrap();
        let given = [whole.chain_update(message.body).finalize().into_bytes().to_vec()];
        assert_eq!(which(&secret, (Keyed::Whole, Signed::BodyAlone), message, &given), Some(0));
    }

    #[test]
    fn only_these_bytes_by_this_secret_about_now() {
        let (headers, at) = signed();
        let secrets = [SecretString::from(SECRET)];
        let body = br#"{"test": 2432232314}"#;
        let later = |s| Timestamp::from_second(at.as_second() + s).unwrap();

        assert_eq!(verify(&secrets, &headers, later(300), body), Ok(()));
        assert_eq!(verify(&secrets, &headers, later(301), body), Err(Flaw::Clock));
        assert_eq!(verify(&secrets, &headers, later(-301), body), Err(Flaw::Clock));
        assert_eq!(verify(&secrets, &headers, at, br#"{"test":2432232314}"#), Err(Flaw::Signature));
        assert_eq!(verify(&[crate::secrets::webhook_secret()], &headers, at, body), Err(Flaw::Signature));
        assert_eq!(verify(&[], &headers, at, body), Err(Flaw::Signature));
        assert_eq!(verify(&secrets, &HeaderMap::new(), at, body), Err(Flaw::Headers));
    }

    #[test]
    fn a_secret_is_itself_alone() {
        let secrets = [crate::secrets::webhook_secret(), SecretString::from(SECRET)];
        assert!(is_one_of(&secrets, SECRET.as_bytes()));
        assert!(!is_one_of(&secrets, &SECRET.as_bytes()[..30]));
        assert!(!is_one_of(&secrets, b""));
        assert!(!is_one_of(&[], b""));
    }

    #[test]
    fn during_a_rotation_both_secrets_sign() {
        let (old, new) = (crate::secrets::webhook_secret(), crate::secrets::webhook_secret());
        let at = Timestamp::now();
        let headers = headers(&[&new, &old], "evt_1", at, b"x").unwrap();
        assert_eq!(verify(&[old], &headers, at, b"x"), Ok(()));
        assert_eq!(verify(&[new], &headers, at, b"x"), Ok(()));
    }
}
