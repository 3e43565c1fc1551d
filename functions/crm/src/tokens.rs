//! What the four token endpoints answer, read as one.

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    ask::{Door, Told},
    failure::{Failure, word},
};

/// Errors that no person can do anything about: the app with the vendor is not as configured here.
const OURS: [&str; 9] = [
    "invalid_client",
    "invalid_client_id",
    "invalid_client_secret",
    "invalid_redirect_uri",
    "invalid_request",
    "invalid_scope",
    "redirect_uri_mismatch",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// Tokens, and what each vendor says with them.
#[derive(Deserialize)]
pub struct Tokens {
    /// Opens the API.
    pub access_token: SecretString,
    /// Makes new access tokens.
    pub refresh_token: Option<SecretString>,
    expires_in: Option<Value>,
    /// Zoho's older form, in which `expires_in` counts milliseconds.
    expires_in_sec: Option<Value>,
    scope: Option<String>,
    scopes: Option<Vec<String>>,
    /// Zoho: where the API is.
    pub api_domain: Option<String>,
    /// Salesforce: where the API is.
    pub instance_url: Option<String>,
    /// Salesforce: who it is, as an address.
    pub id: Option<String>,
    /// Salesforce: when it was said.
    pub issued_at: Option<String>,
    /// Salesforce: by whom.
    pub signature: Option<String>,
}

impl Tokens {
    /// When the access token ends, if that was said.
    pub fn expires_at(&self, now: Timestamp) -> Option<Timestamp> {
        let seconds = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let life = self.expires_in_sec.as_ref().or(self.expires_in.as_ref()).and_then(seconds)?;
        now.checked_add(SignedDuration::from_secs(life)).ok()
    }

    /// What was granted, or what was asked for where that was not said.
    pub fn granted(&self, asked: &str) -> Vec<String> {
        let separate = |text: &str| text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(Into::into).collect();
        match (&self.scopes, &self.scope) {
            (Some(scopes), _) => scopes.clone(),
            (None, Some(scope)) => separate(scope),
            (None, None) => separate(asked),
        }
    }
}

/// What a code is exchanged with.
pub struct Exchange<'a> {
    /// The code.
    pub code: &'a str,
    /// Where it was sent.
    pub redirect_uri: &'a str,
    /// What its challenge was made of.
    pub verifier: Option<&'a SecretString>,
    /// What was asked for.
    pub scope: &'a str,
}

/// Exchanges a code. Never tried twice: a code that was seen twice may cost the tokens it brought.
pub async fn exchange(door: &Door<'_>, exchange: &Exchange<'_>) -> Result<Tokens, Failure> {
    let mut form =
        vec![("grant_type", "authorization_code"), ("code", exchange.code), ("redirect_uri", exchange.redirect_uri)];
    if let Some(verifier) = exchange.verifier {
        form.push(("code_verifier", verifier.expose_secret()));
    }
    if door.vendor.scope_with_code {
        form.push(("scope", exchange.scope));
    }
    read(door.post(door.vendor.token, &form, true).await?)
}

/// Makes new tokens for a scope.
pub async fn refresh(door: &Door<'_>, refresh_token: &SecretString, scope: &str) -> Result<Tokens, Failure> {
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())];
    if door.vendor.scope_with_code {
        form.push(("scope", scope));
    }
    read(door.post(door.vendor.token, &form, true).await?)
}

/// An answer is judged by whether there is a token in it, not by its status.
fn read(told: Told) -> Result<Tokens, Failure> {
    if told.json.get("access_token").is_some() {
        // The cause would show a piece of the answer.
        return serde_json::from_value(told.json).map_err(|_| Failure::Down("tokens of another form"));
    }
    Err(match told.json.get("error").and_then(Value::as_str) {
        None => Failure::Down("neither tokens nor an error"),
        // Zoho's word for too many requests.
        Some("Access Denied") => Failure::Busy,
        Some("temporarily_unavailable" | "server_error" | "general_error") => Failure::Down("an error of its own"),
        Some(error) if OURS.contains(&error) => Failure::NotSetUp(word(error)),
        Some(error) => Failure::CodeRefused(word(error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tokens(reply: Value) -> Tokens {
        read(Told { status: 200, json: reply }).ok().unwrap()
    }

    #[test]
    fn the_end_is_read_in_every_form() {
        let now = Timestamp::UNIX_EPOCH;
        let life = |reply: Value| tokens(reply).expires_at(now).map(Timestamp::as_second);

        assert_eq!(life(json!({ "access_token": "x", "expires_in": 3600 })), Some(3600));
        assert_eq!(life(json!({ "access_token": "x", "expires_in": "3599" })), Some(3599));
        assert_eq!(life(json!({ "access_token": "x", "expires_in": 3_600_000, "expires_in_sec": 3600 })), Some(3600));
        assert_eq!(life(json!({ "access_token": "x" })), None);
        assert_eq!(life(json!({ "access_token": "x", "expires_in": i64::MAX })), None);
    }

    #[test]
    fn what_was_granted_is_a_list_however_it_is_written() {
        let granted = |reply: Value| tokens(reply).granted("c,d");

        assert_eq!(granted(json!({ "access_token": "x", "scope": "a b" })), ["a", "b"]);
        assert_eq!(granted(json!({ "access_token": "x", "scopes": ["a", "b"] })), ["a", "b"]);
        assert_eq!(granted(json!({ "access_token": "x" })), ["c", "d"]);
    }

    #[test]
    fn an_error_counts_under_any_status() {
        let why = |reply: Value| read(Told { status: 200, json: reply }).err().unwrap();

        assert!(matches!(why(json!({ "error": "invalid_code" })), Failure::CodeRefused(_)));
        assert!(matches!(why(json!({ "error": "invalid_client" })), Failure::NotSetUp(_)));
        assert!(matches!(why(json!({ "error": "Access Denied" })), Failure::Busy));
        assert!(matches!(why(json!({ "error": "temporarily_unavailable" })), Failure::Down(_)));
        assert!(matches!(why(Value::Null), Failure::Down(_)));
        assert!(matches!(why(json!({ "access_token": 7 })), Failure::Down(_)));
    }
}
