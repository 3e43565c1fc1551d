//! What a person brings: a request as it was received, and whom it was meant for.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use shared::{
    Error, Result,
    http::{BODY_LIMIT, Call, Fields},
    id::{AutomationId, EndpointId},
};
use utoipa::ToSchema;

use super::{headers::Sent, signers::Who};

/// So many headers are read.
const MOST_HEADERS: usize = 100;
/// A body of 256 KiB in base64, with what is around it.
const LARGEST: usize = 2 * BODY_LIMIT;

/// A request as it was received: an endpoint's receiver got it, or it was sent to an automation's webhook. Name one of the
/// two, and give the body once.
#[derive(Deserialize, ToSchema)]
#[schema(as = ReceivedWebhook)]
#[expect(dead_code, reason = "the document's form of what `Received::read` reads")]
pub struct Given {
    /// The endpoint that it was delivered to.
    endpoint_id: Option<EndpointId>,
    /// The automation that it was sent to.
    automation_id: Option<AutomationId>,
    /// Its headers, 100 at most; upper or lower case does not matter.
    headers: BTreeMap<String, String>,
    /// Its body, byte for byte, where it is text; 256 KiB at most.
    body: Option<String>,
    /// Its body in base64, in place of `body`.
    body_base64: Option<String>,
    /// When it was received; now unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    received_at: Option<Timestamp>,
}

/// The same, read.
pub struct Received {
    /// Whom it was meant for.
    pub who: Who,
    /// Its headers.
    pub headers: Sent,
    /// Its body.
    pub body: Vec<u8>,
    /// When it was received, where that was said.
    pub at: Option<Timestamp>,
}

impl Received {
    /// Reads it, or tells all that is wrong with it.
    pub fn read(call: &Call) -> Result<Self> {
        let Value::Object(given) = call.value(LARGEST)? else {
            return Err(Error::invalid("", "the body is not a JSON object"));
        };
        let mut given = Fields::new(given, "");
        let who = who(&mut given);
        let headers = headers(&mut given);
        let body = body(&mut given);
        let at = given.optional("received_at");
        if body.as_ref().is_some_and(|body| body.len() > BODY_LIMIT) {
            return Err(Error::TooLarge { limit: BODY_LIMIT });
        }
        given.build(|| Some(Self { who: who?, headers: headers?, body: body?, at }))
    }

    /// The secret itself, which an automation takes in place of a signature.
    pub fn secret(&self) -> Option<&str> {
        match self.who {
            Who::Automation(_) => self.headers.get("x-webhook-secret"),
            Who::Endpoint(_) => None,
        }
    }

    /// Whether it carries a signature, be it good or bad, under its own name.
    pub fn is_signed(&self) -> bool {
        self.headers.get("webhook-signature").is_some()
    }
}

fn who(given: &mut Fields) -> Option<Who> {
    let sound = given.is_faultless();
    let (endpoint, automation) = (given.optional("endpoint_id"), given.optional("automation_id"));
    match (endpoint, automation) {
        (Some(id), None) => Some(Who::Endpoint(id)),
        (None, Some(id)) => Some(Who::Automation(id)),
        (Some(_), Some(_)) => {
            given.fault("automation_id", "must not be given beside endpoint_id");
            None
        }
        (None, None) => {
            if given.is_faultless() == sound {
                given.fault("endpoint_id", "is missing: name an endpoint or an automation");
            }
            None
        }
    }
}

/// Texts, and numbers as their digits: a timestamp is easily written as one.
fn headers(given: &mut Fields) -> Option<Sent> {
    let all: BTreeMap<String, Value> = given.required("headers")?;
    if all.len() > MOST_HEADERS {
        given.fault("headers", format!("must be at most {MOST_HEADERS}"));
        return None;
    }
    let mut sent = Vec::new();
    for (name, value) in all {
        match value {
            Value::String(text) => sent.push((name, text)),
            Value::Number(number) => sent.push((name, number.to_string())),
            _ => given.fault("headers", format!("{name:?} must be a text")),
        }
    }
    Some(Sent::new(sent))
}

fn body(given: &mut Fields) -> Option<Vec<u8>> {
    let sound = given.is_faultless();
    let (text, encoded): (Option<String>, Option<String>) = (given.optional("body"), given.optional("body_base64"));
    match (text, encoded) {
        (Some(text), None) => Some(text.into_bytes()),
        (None, Some(encoded)) => {
            let decoded = BASE64.decode(encoded.as_bytes()).ok();
            if decoded.is_none() {
                given.fault("body_base64", "is not base64");
            }
            decoded
        }
        (Some(_), Some(_)) => {
            given.fault("body_base64", "must not be given beside body");
            None
        }
        (None, None) => {
            if given.is_faultless() == sound {
                given.fault("body", "is missing: give it as text, or in base64 as body_base64");
            }
            None
        }
    }
}
