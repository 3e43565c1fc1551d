//! Secrets: the platform's, in Secrets Manager; the tenants', in the table under a key from the keyring.
//!
//! What is sealed is bound to its tenant, owner and field, so that a copied blob opens nowhere else. The id of the key
//! travels with the ciphertext: a new key is added to the keyring without downtime, and [`Keyring::is_current`] tells
//! what still has to be sealed again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use hmac::{Hmac, Mac};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::error::{Error, Result};

/// A key has at least so many characters.
const SHORTEST_KEY: usize = 32;

/// How long a process believes what it has read.
const BELIEVE: Duration = Duration::from_secs(300);

/// The platform's secrets, as they stand in Secrets Manager.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Stored")]
pub struct Platform {
    /// The keys that seal the tenants' secrets.
    pub keyring: Keyring,
    /// OAuth apps by CRM.
    pub oauth: BTreeMap<String, OAuthApp>,
    /// What an outside cron proves itself with.
    pub cron_secret: Option<SecretString>,
}

/// The JSON of the secret. CloudFormation can generate one text at its top: that is the first key.
#[derive(Deserialize)]
struct Stored {
    keyring: Keyring,
    first_key: Option<SecretString>,
    #[serde(default)]
    oauth: BTreeMap<String, OAuthApp>,
    cron_secret: Option<SecretString>,
}

impl From<Stored> for Platform {
    fn from(mut stored: Stored) -> Self {
        if let Some(key) = stored.first_key {
            stored.keyring.keys.insert("first".into(), key);
        }
        Self { keyring: stored.keyring, oauth: stored.oauth, cron_secret: stored.cron_secret }
    }
}

/// Our app with one CRM.
#[derive(Clone, Debug, Deserialize)]
pub struct OAuthApp {
    /// Its public id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
}

/// Keys by id, and which of them seals. A key is any random text: its SHA-256 is what encrypts.
#[derive(Clone, Debug, Deserialize)]
pub struct Keyring {
    current: String,
    #[serde(default)]
    keys: BTreeMap<String, SecretString>,
}

/// A sealed secret: `<key id>.<base64 of nonce and ciphertext>`. Safe to store, useless elsewhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[sealed]")
    }
}

impl Keyring {
    /// Seals a secret for one field of one owner.
    ///
    /// `place` names tenant, owner and field, for instance `["ten_…", "end_…", "secret"]`.
    pub fn seal(&self, place: [&str; 3], secret: &SecretString) -> Result<Sealed> {
        let mut nonce = [0; 12];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: &bound(place) };
        let sealed = self
            .cipher(&self.current)?
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|cause| Error::internal("sealing", cause.to_string()))?;
        let blob = [nonce.as_slice(), &sealed].concat();
        Ok(Sealed(format!("{}.{}", self.current, BASE64.encode(&blob))))
    }

    /// Opens what was sealed for this very place.
    pub fn open(&self, place: [&str; 3], sealed: &Sealed) -> Result<SecretString> {
        let broken = |cause: &str| Error::internal("a sealed secret does not open", cause.to_owned());
        let (id, blob) = sealed.0.split_once('.').ok_or_else(|| broken("no key id"))?;
        let blob = BASE64.decode(blob.as_bytes()).map_err(|_| broken("not base64"))?;
        let (nonce, ciphertext) = blob.split_first_chunk::<12>().ok_or_else(|| broken("too short"))?;
        let payload = Payload { msg: ciphertext, aad: &bound(place) };
        let opened = self
            .cipher(id)?
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| broken("another key, place or text"))?;
        String::from_utf8(opened).map(Into::into).map_err(|_| broken("not text"))
    }

    /// Whether it is sealed with the key that seals now.
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        sealed.0.split_once('.').is_some_and(|(id, _)| id == self.current)
    }

    /// A signature over a text that leaves us and comes back: `<key id>.<base64url of HMAC-SHA256>`.
    pub fn sign(&self, purpose: &str, text: &str) -> Result<String> {
        let mac = self.mac(&self.current, purpose, text)?;
        Ok(format!("{}.{}", self.current, BASE64URL_NOPAD.encode(&mac.finalize().into_bytes())))
    }

    /// Whether we have signed that text for that purpose, with any key of the keyring.
    pub fn has_signed(&self, purpose: &str, text: &str, signature: &str) -> bool {
        let Some((id, given)) = signature.split_once('.') else { return false };
        let Ok(given) = BASE64URL_NOPAD.decode(given.as_bytes()) else { return false };
        self.mac(id, purpose, text).is_ok_and(|mac| mac.verify_slice(&given).is_ok())
    }

    fn mac(&self, id: &str, purpose: &str, text: &str) -> Result<Hmac<Sha256>> {
        // A key of its own: what seals does not sign.
        let key = Sha256::new_with_prefix(self.key(id)?).chain_update("\u{1f}").chain_update(purpose).finalize();
        let mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|cause| Error::internal("a key of HMAC", cause))?;
        Ok(mac.chain_update(text))
    }

    fn cipher(&self, id: &str) -> Result<Aes256Gcm> {
        Ok(Aes256Gcm::new(&Sha256::digest(self.key(id)?)))
    }

    fn key(&self, id: &str) -> Result<&str> {
        let text = self.keys.get(id).map(ExposeSecret::expose_secret).filter(|text| text.len() >= SHORTEST_KEY);
        text.ok_or_else(|| {
            Error::internal(
                "the keyring lacks a usable key",
                format!("key `{id}`: missing, or under {SHORTEST_KEY} characters"),
            )
        })
    }
}

fn bound(place: [&str; 3]) -> Vec<u8> {
    place.join("\u{1f}").into_bytes()
}

/// A random secret of so many bytes, as Standard Webhooks writes them: `whsec_` and base64.
pub fn webhook_secret() -> SecretString {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    format!("whsec_{}", BASE64.encode(&bytes)).into()
}

/// Eight hexadecimal digits of its SHA-256: enough to tell secrets apart, not enough to guess one.
pub fn fingerprint(secret: &SecretString) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(secret.expose_secret())[..4])
}

/// Reads the platform's secrets: once at a cold start, then every five minutes.
#[derive(Clone)]
pub struct Vault {
    source: Source,
    read: Arc<Mutex<Option<Reading>>>,
}

/// How long one reading may take, and how long to wait after one that failed.
const PATIENCE: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_secs(30);

/// What was read, and when.
type Reading = (Arc<Platform>, Instant);

#[derive(Clone)]
enum Source {
    Manager {
        client: aws_sdk_secretsmanager::Client,
        id: String,
    },
    #[cfg(feature = "testing")]
    Given(Arc<Platform>),
}

impl Vault {
    /// Over the secret of that id.
    pub fn new(client: aws_sdk_secretsmanager::Client, id: String) -> Self {
        Self { source: Source::Manager { client, id }, read: Arc::default() }
    }

    /// With given contents: for tests.
    #[cfg(feature = "testing")]
    pub fn given(platform: Platform) -> Self {
        Self { source: Source::Given(Arc::new(platform)), read: Arc::default() }
    }

    /// What it holds. A source that is down is forgiven while there is an older reading.
    pub async fn platform(&self) -> Result<Arc<Platform>> {
        let (client, id) = match &self.source {
            Source::Manager { client, id } => (client, id),
            #[cfg(feature = "testing")]
            Source::Given(platform) => return Ok(platform.clone()),
        };
        let mut read = self.read.lock().await;
        if let Some((platform, at)) = &*read
            && at.elapsed() < BELIEVE
        {
            return Ok(platform.clone());
        }
        let fetched =
            timeout(PATIENCE, fetch(client, id)).await.unwrap_or_else(|late| Err(Error::unavailable("secrets", late)));
        match fetched {
            Ok(platform) => {
                let platform = Arc::new(platform);
                *read = Some((platform.clone(), Instant::now()));
                Ok(platform)
            }
            Err(error) => match &*read {
                Some((platform, _)) => {
                    let platform = platform.clone();
                    // Not every call of an outage waits for it: the next one asks in half a minute.
                    let asked =
                        Instant::now().checked_sub(BELIEVE).map_or_else(Instant::now, |long_ago| long_ago + AGAIN);
                    *read = Some((platform.clone(), asked));
                    tracing::warn!(error = ?error, "the platform's secrets could not be read again, the last reading holds");
                    Ok(platform)
                }
                None => Err(error),
            },
        }
    }

    /// The keys that seal the tenants' secrets.
    pub async fn keyring(&self) -> Result<Keyring> {
        Ok(self.platform().await?.keyring.clone())
    }

    pub(crate) async fn prime(&self) {
        if let Err(error) = self.platform().await {
            tracing::warn!(error = ?error, "the platform's secrets could not be read yet");
        }
    }
}

async fn fetch(client: &aws_sdk_secretsmanager::Client, id: &str) -> Result<Platform> {
    let answer =
        client.get_secret_value().secret_id(id).send().await.map_err(|cause| Error::unavailable("secrets", cause))?;
    serde_json::from_str(answer.secret_string().unwrap_or_default())
        // The cause would show a piece of the secret.
        .map_err(|_| Error::internal("the platform's secret is not of its form", "see README, section Secrets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(current: &str) -> Keyring {
        Keyring {
            current: current.into(),
            keys: [("k1", [1; 32]), ("k2", [2; 32])]
                .map(|(id, key)| (id.to_owned(), SecretString::from(BASE64.encode(&key))))
                .into(),
        }
    }

    const PLACE: [&str; 3] = ["ten_a", "end_a", "secret"];

    #[test]
    fn what_was_sealed_opens_in_its_place_alone() {
        let sealed = ring("k1").seal(PLACE, &"hush".into()).unwrap();

        assert_eq!(ring("k1").open(PLACE, &sealed).unwrap().expose_secret(), "hush");
        assert!(ring("k1").open(["ten_b", "end_a", "secret"], &sealed).is_err());
        assert!(ring("k1").open(["ten_a", "end_a", "api_key"], &sealed).is_err());
    }

    #[test]
    fn an_older_key_still_opens() {
        let sealed = ring("k1").seal(PLACE, &"hush".into()).unwrap();

        assert_eq!(ring("k2").open(PLACE, &sealed).unwrap().expose_secret(), "hush");
        assert!(!ring("k2").is_current(&sealed));
    }

    #[test]
    fn nothing_secret_prints() {
        let ring = ring("k1");
        let sealed = ring.seal(PLACE, &"hush".into()).unwrap();
        let printed = format!("{ring:?} {sealed:?} {:?}", SecretString::from("hush"));
        assert!(!printed.contains("hush") && !printed.contains(&BASE64.encode(&[1; 32])), "{printed}");
    }
}
