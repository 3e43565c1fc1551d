//! One signed POST to an endpoint, or one e-mail: as every attempt makes it, and as a test of the endpoint does, outside
//! of any delivery.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use shared::{
    Error, Result,
    egress::{Answer, Egress, Silence},
    endpoint::Endpoint,
    mail::{Letter, Mail, Recipients, is_mailto},
    secrets::{Keyring, Sealed},
    sign,
    trace::TraceId,
};

/// The ways out.
pub struct Ways<'a> {
    /// To webhooks.
    pub egress: &'a Egress,
    /// To addresses of e-mail.
    pub mail: &'a Mail,
}

/// What is posted.
pub struct Message<'a> {
    /// Its `webhook-id`.
    pub id: &'a str,
    /// What ties it to its event.
    pub trace: TraceId,
    /// Its body: JSON.
    pub body: String,
}

/// Sends it once, by the way that the endpoint's address asks for. Whatever the other side does is an answer; an error is
/// ours.
///
/// Nothing is logged, counted or paced.
pub async fn once(
    keyring: &Keyring,
    ways: Ways<'_>,
    endpoint: &Endpoint,
    message: Message<'_>,
    now: Timestamp,
) -> Result<Answer> {
    let url = open(keyring, endpoint, "url", &endpoint.url)?;
    match is_mailto(url.expose_secret()) {
        true => write(ways.mail, &url, message).await,
        false => post(keyring, ways.egress, endpoint, &url, message, now).await,
    }
}

/// A letter through SES, under the id that a webhook would be told. It bears no signature of ours: SES signs for the domain.
async fn write(mail: &Mail, url: &SecretString, message: Message<'_>) -> Result<Answer> {
    let Ok(to) = Recipients::read(url.expose_secret()) else { return Ok(nowhere()) };
    let email = serde_json::from_str(&message.body).map_err(|cause| Error::internal("no body of an e-mail", cause))?;
    mail.send(&to, Letter { id: message.id, trace: message.trace, email }).await
}

/// A POST past the guard of the way out, signed with the endpoint's secret (and the previous one, while that holds), with
/// the key of a Make webhook where it has one.
async fn post(
    keyring: &Keyring,
    egress: &Egress,
    endpoint: &Endpoint,
    url: &SecretString,
    message: Message<'_>,
    now: Timestamp,
) -> Result<Answer> {
    let current = open(keyring, endpoint, "secret", &endpoint.secret)?;
    let previous = match &endpoint.previous {
        Some(previous) if now < previous.until => Some(open(keyring, endpoint, "secret", &previous.secret)?),
        _ => None,
    };
    let secrets: Vec<_> = [Some(&current), previous.as_ref()].into_iter().flatten().collect();
    let mut headers = sign::headers(&secrets, message.id, now, message.body.as_bytes())?;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    put(&mut headers, "traceparent", &message.trace.traceparent())?;
    if let Some(key) = &endpoint.make_key {
        put(&mut headers, "x-make-apikey", open(keyring, endpoint, "make_key", key)?.expose_secret())?;
    }
    match egress.check(url.expose_secret()) {
        Ok(url) => Ok(egress.post(&url, headers, message.body.into_bytes()).await),
        Err(_) => Ok(nowhere()),
    }
}

fn open(keyring: &Keyring, endpoint: &Endpoint, field: &str, sealed: &Sealed) -> Result<SecretString> {
    keyring.open(Endpoint::place(&endpoint.tenant.to_string(), &endpoint.id.to_string(), field), sealed)
}

/// The address must not be called.
fn nowhere() -> Answer {
    Answer { took: Duration::ZERO, outcome: Err(Silence::Refused) }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<()> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::internal("a header that cannot be sent", name))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
