//! The WebSocket API: what comes in by it, and messages out to its connections.
//!
//! With `boot` and `http` the only file that knows what API Gateway hands over.

use std::{collections::HashMap, time::Duration};

use aws_sdk_apigatewaymanagement::{Client, error::SdkError, primitives::Blob};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    error::{Error, Result},
    gate::Person,
};

/// A message that has not gone out by then is left to another time.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// What a connection said, or that it opens or ends.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Said {
    /// The connection.
    pub connection: String,
    /// Whose it is, as its token said when it was opened.
    pub person: Person,
    /// When that token ends; none was told to connections of before it was asked for.
    pub until: Option<Timestamp>,
    /// The text of the message.
    pub text: String,
    /// When it came.
    pub now: Timestamp,
}

/// What API Gateway hands over for each.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handed {
    request_context: Context,
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    connection_id: String,
    #[serde(default)]
    route_key: String,
    /// What the authorizer said at the door; it comes with every message.
    authorizer: Option<HashMap<String, Value>>,
}

impl Handed {
    /// What the log calls it by: connection, route, and the tenant as the authorizer told it.
    pub(crate) fn names(&self) -> (&str, &str, &str) {
        let Context { connection_id, route_key, authorizer } = &self.request_context;
        let tenant = authorizer.as_ref().and_then(|claims| claims.get("tenant")?.as_str());
        (connection_id, route_key, tenant.unwrap_or_default())
    }

    pub(crate) fn said(self) -> Result<Said> {
        let claims = self.request_context.authorizer.unwrap_or_default();
        // API Gateway hands on a text or a number as it came, an emulator may make a text of it.
        let seconds = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let until = claims.get("exp").and_then(seconds).and_then(|seconds| Timestamp::from_second(seconds).ok());
        Ok(Said {
            person: Person::of_claims(|name| claims.get(name).and_then(Value::as_str))?,
            until,
            connection: self.request_context.connection_id,
            text: self.body.unwrap_or_default(),
            now: Timestamp::now(),
        })
    }
}

/// Whether a connection was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It was.
    There,
    /// It has ended, and will never be there again.
    Gone,
}

/// The open connections.
#[derive(Clone)]
pub struct Sockets(Way);

#[derive(Clone)]
enum Way {
    Api(Client),
    #[cfg(feature = "testing")]
    Kept(Kept),
}

/// Connections that a test plays.
#[cfg(feature = "testing")]
pub type Kept = std::sync::Arc<std::sync::Mutex<Played>>;

/// What was sent, and how the connections behave.
#[cfg(feature = "testing")]
#[derive(Default)]
pub struct Played {
    /// (connection, message), in order.
    pub sent: Vec<(String, Value)>,
    /// The connections that have ended.
    pub gone: std::collections::HashSet<String>,
    /// The connections that take nothing in time.
    pub slow: std::collections::HashSet<String>,
    /// The connections that were closed from here.
    pub closed: Vec<String>,
}

impl Sockets {
    /// Those that this client reaches.
    pub fn new(client: Client) -> Self {
        Self(Way::Api(client))
    }

    /// Connections that a test plays.
    #[cfg(feature = "testing")]
    pub fn kept() -> (Self, Kept) {
        let kept = Kept::default();
        (Self(Way::Kept(kept.clone())), kept)
    }

    /// One cheap question, so that the first message finds an open connection to the API.
    pub async fn prime(&self) {
        let _ = self.find("-").await;
    }

    /// Sends a text to a connection, within [`PATIENCE`].
    pub async fn post(&self, connection: &str, text: &str) -> Result<Reached> {
        let client = match &self.0 {
            Way::Api(client) => client,
            #[cfg(feature = "testing")]
            Way::Kept(kept) => return play(kept, connection, Some(text)).await,
        };
        let request = client.post_to_connection().connection_id(connection).data(Blob::new(text));
        reached(request.send().await, |error| error.is_gone_exception())
    }

    /// Whether a connection is still there.
    pub async fn find(&self, connection: &str) -> Result<Reached> {
        let client = match &self.0 {
            Way::Api(client) => client,
            #[cfg(feature = "testing")]
            Way::Kept(kept) => return play(kept, connection, None).await,
        };
        let request = client.get_connection().connection_id(connection);
        reached(request.send().await, |error| error.is_gone_exception())
    }

    /// Ends a connection, if it is there.
    pub async fn close(&self, connection: &str) -> Result<Reached> {
        let client = match &self.0 {
            Way::Api(client) => client,
            #[cfg(feature = "testing")]
            Way::Kept(kept) => {
                let mut played = kept.lock().expect("no test panics while closing");
                played.closed.push(connection.into());
                let first = played.gone.insert(connection.into());
                return Ok(if first { Reached::There } else { Reached::Gone });
            }
        };
        let request = client.delete_connection().connection_id(connection);
        reached(request.send().await, |error| error.is_gone_exception())
    }
}

fn reached<T, E>(
    answer: Result<T, SdkError<E, aws_sdk_apigatewaymanagement::config::http::HttpResponse>>,
    is_gone: impl Fn(&E) -> bool,
) -> Result<Reached>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match answer {
        Ok(_) => Ok(Reached::There),
        Err(error) if error.as_service_error().is_some_and(is_gone) => Ok(Reached::Gone),
        Err(error) => Err(Error::unavailable("connection", error)),
    }
}

/// A test sees what came to each connection, as that connection sees it.
#[cfg(feature = "testing")]
async fn play(kept: &Kept, connection: &str, text: Option<&str>) -> Result<Reached> {
    // Others get their turn, as they do while a message is under way.
    tokio::task::yield_now().await;
    let mut played = kept.lock().expect("no test panics while sending");
    if played.gone.contains(connection) {
        return Ok(Reached::Gone);
    }
    if let Some(text) = text {
        if played.slow.contains(connection) {
            return Err(Error::unavailable("connection", "it takes too long"));
        }
        let message = serde_json::from_str(text).expect("every message is JSON");
        played.sent.push((connection.into(), message));
    }
    Ok(Reached::There)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_with_whoever_the_authorizer_admitted() {
        let tenant = crate::id::TenantId::new();
        let handed: Handed = serde_json::from_value(serde_json::json!({
            "requestContext": {
                "routeKey": "$default", "eventType": "MESSAGE", "connectionId": "L0SM9cOFvHcCIhw=",
                "authorizer": {
                    "sub": "u1", "tenant": tenant, "role": "agent", "exp": "1795257000", "principalId": "u1", "integrationLatency": 12,
                },
            },
            "body": "{}", "isBase64Encoded": false,
        }))
        .expect("what API Gateway hands over");
        assert_eq!(handed.names(), ("L0SM9cOFvHcCIhw=", "$default", tenant.to_string().as_str()));
        let said = handed.said().expect("somebody");
        assert_eq!(
            (said.connection.as_str(), said.person.tenant, said.text.as_str()),
            ("L0SM9cOFvHcCIhw=", tenant, "{}")
        );
        assert_eq!(said.until, Some("2026-11-21T10:30:00Z".parse().expect("a moment")));
    }

    #[test]
    fn whoever_passed_no_authorizer_is_nobody() {
        let handed: Handed =
            serde_json::from_str(r#"{"requestContext":{"connectionId":"c"},"body":"{}"}"#).expect("it is read");
        assert!(matches!(handed.said(), Err(Error::Unauthenticated(_))));
    }
}
