//! One signed POST to an endpoint: as every attempt makes it, and as a test of the endpoint does, outside of any delivery.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use shared::{
    Error, Result,
    egress::{Answer, Egress, Silence},
    endpoint::Endpoint,
    secrets::Keyring,
    sign,
    trace::TraceId,
};

/// What is posted.
pub struct Message<'a> {
    /// Its `webhook-id`.
    pub id: &'a str,
    /// What ties it to its event.
    pub trace: TraceId,
    /// Its body: JSON.
    pub body: String,
}

/// Posts it once, signed with the endpoint's secret (and the previous one, while that holds), with the key of a Make
/// webhook where it has one, past the guard of the way out. Whatever the other side does is an answer; an error is ours.
///
/// Nothing is logged, counted or paced.
pub async fn once(
    keyring: &Keyring,
    egress: &Egress,
    endpoint: &Endpoint,
    message: Message<'_>,
    now: Timestamp,
) -> Result<Answer> {
    let (tenant, id) = (endpoint.tenant.to_string(), endpoint.id.to_string());
    let open = |field, sealed| keyring.open(Endpoint::place(&tenant, &id, field), sealed);

    let current = open("secret", &endpoint.secret)?;
    let previous = match &endpoint.previous {
        Some(previous) if now < previous.until => Some(open("secret", &previous.secret)?),
        _ => None,
    };
    let secrets: Vec<_> = [Some(&current), previous.as_ref()].into_iter().flatten().collect();
    let mut headers = sign::headers(&secrets, message.id, now, message.body.as_bytes())?;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    put(&mut headers, "traceparent", &message.trace.traceparent())?;
    if let Some(key) = &endpoint.make_key {
        put(&mut headers, "x-make-apikey", open("make_key", key)?.expose_secret())?;
    }
    let url = open("url", &endpoint.url)?;
    match egress.check(url.expose_secret()) {
        Ok(url) => Ok(egress.post(&url, headers, message.body.into_bytes()).await),
        Err(_) => Ok(Answer { took: Duration::ZERO, outcome: Err(Silence::Refused) }),
    }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<()> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::internal("a header that cannot be sent", name))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
