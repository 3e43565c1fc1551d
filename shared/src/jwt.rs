//! People's tokens where API Gateway does not check them: at the door of the WebSocket API.
//!
//! A token counts for what it counts for at the HTTP API's own authorizer: RS256 by a key of the issuer, the issuer, the
//! audience (`aud`, or `client_id` where there is none), and its times. Whatever is not certain is refused.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::{Client, redirect};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    error::{Error, Result},
    gate::Person,
};

/// How long the issuer's keys are believed: API Gateway believes them as long (JWT authorizers of HTTP APIs).
const BELIEVE: SignedDuration = SignedDuration::from_hours(2);
/// A key that is not among them makes us look again, but no more often than this, whatever tokens come.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// And no more often than this while the issuer does not answer.
const TRY_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// The issuer's clock may be ahead of ours by so much.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// For one answer of the issuer.
const WHOLE: Duration = Duration::from_secs(3);
/// Larger than any set of keys.
const MOST: usize = 256 * 1024;
/// Longer than any token that an issuer makes.
const LONGEST: usize = 16 * 1024;

/// Who makes people's tokens.
pub struct Issuer {
    issuer: String,
    audience: String,
    /// Where its keys are; empty: where its discovery document says.
    keys: String,
    http: Client,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, DecodingKey>,
    at: Option<Timestamp>,
    failed: Option<Timestamp>,
}

impl Known {
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.at.is_some_and(|at| now.duration_since(at) < BELIEVE)
    }

    /// Whether to ask the issuer now for a key that is not here.
    fn may_look(&self, now: Timestamp) -> bool {
        let rests = |since: Option<Timestamp>, rest| since.is_none_or(|since| now.duration_since(since) >= rest);
        rests(self.at, LOOK_AGAIN) && rests(self.failed, TRY_AGAIN)
    }
}

/// A set of keys (RFC 7517). Keys of other kinds may stand among them.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct RsaKey {
    kty: String,
    kid: String,
    n: String,
    e: String,
    alg: Option<String>,
    r#use: Option<String>,
}

/// What the discovery document of an issuer says (`OpenID` Connect Discovery), as far as it matters.
#[derive(Deserialize)]
struct Discovered {
    jwks_uri: String,
}

impl Issuer {
    /// The issuer of that name, for tokens of that audience. Its keys are at `keys`, or where it says itself.
    pub fn new(issuer: &str, audience: &str, keys: &str) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            keys: keys.into(),
            http: Client::builder()
                .timeout(WHOLE)
                .redirect(redirect::Policy::none())
                .no_proxy()
                .user_agent("Crossdock/1")
                .build()
                .expect("an HTTP client can be built"),
            known: Mutex::default(),
        }
    }

    /// Reads the keys, so that the first token finds them.
    pub async fn prime(&self) {
        let mut known = self.known.lock().await;
        let _ = self.look(&mut known, Timestamp::now()).await;
    }

    /// The person that a token is for, and when the token ends.
    pub async fn person(&self, token: &str, now: Timestamp) -> Result<(Person, Timestamp)> {
        let claims = self.claims(token, now).await?;
        let person = Person::of_claims(|name| claims.get(name).and_then(Value::as_str))?;
        // An end beyond all time is none that anybody sees.
        let end = seconds(&claims, "exp").flatten().and_then(|end| Timestamp::from_second(end).ok());
        Ok((person, end.unwrap_or(Timestamp::MAX)))
    }

    async fn claims(&self, token: &str, now: Timestamp) -> Result<HashMap<String, Value>> {
        const BROKEN: Error = Error::Unauthenticated("this is not a token");
        if token.len() > LONGEST {
            return Err(BROKEN);
        }
        let header = decode_header(token).map_err(|_| BROKEN)?;
        if header.alg != Algorithm::RS256 {
            return Err(Error::Unauthenticated("the token is not signed by RS256"));
        }
        let kid = header.kid.ok_or(Error::Unauthenticated("the token does not name its key"))?;
        let key = self.key(&kid, now).await?;
        // Times are checked below, by the clock of the caller.
        let mut validation = Validation::new(Algorithm::RS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let token = decode::<HashMap<String, Value>>(token, &key, &validation)
            .map_err(|_| Error::Unauthenticated("the signature of the token does not match"))?;
        self.check(&token.claims, now)?;
        Ok(token.claims)
    }

    fn check(&self, claims: &HashMap<String, Value>, now: Timestamp) -> Result<()> {
        let refuse = |why| Err(Error::Unauthenticated(why));
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return refuse("the token has another issuer");
        }
        let ours = match claims.get("aud").or_else(|| claims.get("client_id")) {
            Some(Value::String(one)) => *one == self.audience,
            Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(&self.audience)),
            _ => false,
        };
        if !ours {
            return refuse("the token is for another audience");
        }
        // Of a user pool: what is no id token and no access token is no sign-in.
        if claims.get("token_use").is_some_and(|kind| *kind != "id" && *kind != "access") {
            return refuse("the token is for another use");
        }
        let at = |name: &str| seconds(claims, name);
        let soon = (now + AHEAD).as_second();
        match at("exp") {
            Some(Some(end)) if now.as_second() < end => {}
            _ => return refuse("the token has expired"),
        }
        for begin in ["nbf", "iat"] {
            if at(begin).is_some_and(|begin| begin.is_none_or(|begin| begin > soon)) {
                return refuse("the token is not valid yet");
            }
        }
        Ok(())
    }

    async fn key(&self, kid: &str, now: Timestamp) -> Result<DecodingKey> {
        let mut known = self.known.lock().await;
        if !known.is_fresh(now) || !known.keys.contains_key(kid) {
            if known.may_look(now) {
                self.look(&mut known, now).await?;
            } else if !known.is_fresh(now) {
                return Err(Error::unavailable("issuer", "its keys could not be read a moment ago"));
            }
        }
        known
            .keys
            .get(kid)
            .cloned()
            .ok_or(Error::Unauthenticated("the token names a key that its issuer does not have"))
    }

    async fn look(&self, known: &mut Known, now: Timestamp) -> Result<()> {
        match self.read().await {
            Ok(keys) => {
                *known = Known { keys, at: Some(now), failed: None };
                Ok(())
            }
            Err(error) => {
                known.failed = Some(now);
                Err(error)
            }
        }
    }

    async fn read(&self) -> Result<HashMap<String, DecodingKey>> {
        let set: KeySet = self.get(&self.place().await?).await?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<RsaKey>(key).ok());
        Ok(keys
            .filter(|key| key.kty == "RSA")
            .filter(|key| key.alg.as_deref().is_none_or(|alg| alg == "RS256"))
            .filter(|key| key.r#use.as_deref().is_none_or(|kind| kind == "sig"))
            .filter_map(|key| Some((key.kid, DecodingKey::from_rsa_components(&key.n, &key.e).ok()?)))
            .collect())
    }

    /// Where the keys are: where we were told, where the discovery document says, or where they usually are.
    async fn place(&self) -> Result<String> {
        if !self.keys.is_empty() {
            return Ok(self.keys.clone());
        }
        let under = |path: &str| format!("{}/.well-known/{path}", self.issuer.trim_end_matches('/'));
        match self.get::<Discovered>(&under("openid-configuration")).await {
            Ok(said) if said.jwks_uri.starts_with("https://") => Ok(said.jwks_uri),
            Ok(_) => Err(Error::unavailable("issuer", "its keys are not behind TLS")),
            Err(_) => Ok(under("jwks.json")),
        }
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T> {
        let failed = |cause: reqwest::Error| Error::unavailable("issuer", cause);
        let mut answer =
            self.http.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST {
                return Err(Error::unavailable("issuer", "its answer is too large"));
            }
        }
        serde_json::from_slice(&body).map_err(|cause| Error::unavailable("issuer", cause))
    }
}

/// A time among claims. Whole seconds, as issuers write them; where they write parts of one, the part is what we ignore.
fn seconds(claims: &HashMap<String, Value>, name: &str) -> Option<Option<i64>> {
    claims.get(name).map(|value| value.as_f64().map(|seconds| seconds as i64))
}
