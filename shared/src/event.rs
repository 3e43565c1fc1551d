//! An event: something that happened, accepted once.
//!
//! The row is the log and the idempotency at once: its id is derived from what makes two reports the same event, and
//! storing it is one conditional write. The table's stream carries it on from there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    id::{AutomationId, EndpointId, EventId, TenantId},
    key::{self, Key},
    table::{Created, Row, Table},
    trace::TraceId,
};

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Whose.
    pub tenant: TenantId,
    /// Its id, derived from its content.
    pub id: EventId,
    /// What happened: `booking.updated`, `booking_event.created`, `automation.executed`, …
    pub event_type: String,
    /// What ties it to all that it causes.
    pub trace: TraceId,
    /// When it was stored.
    pub accepted_at: Timestamp,
    /// When it happened, where the sender says so.
    pub occurred_at: Option<Timestamp>,
    /// The one endpoint that it goes to; without it, every endpoint that subscribes to its type.
    pub to: Option<EndpointId>,
    /// How it came to be known.
    #[serde(default, skip_serializing_if = "Origin::is_live")]
    pub origin: Origin,
    /// What it says.
    pub content: Content,
}

/// How an event came to be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Its sender reported it.
    #[default]
    Live,
    /// Nobody reported it; the source was compared with what had come in.
    Reconciled,
}

impl Origin {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_live(&self) -> bool {
        *self == Self::Live
    }
}

/// What an event says, in the form of its source. Texts are JSON as it came, so that no digit of a number is lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Content {
    /// A row of the booking system changed.
    Booking {
        /// `INSERT`, `UPDATE` or `DELETE`.
        operation: String,
        /// `booking_events` or `bookings`.
        table: String,
        /// The row as it is.
        record: Option<String>,
        /// The row as it was.
        old_record: Option<String>,
    },
    /// An automation was run.
    Automation {
        /// Which.
        automation: AutomationId,
        /// The template that it was made from.
        template: String,
        /// What its caller sent.
        data: String,
    },
}

impl Content {
    /// Where it happened, as receivers are told.
    fn source(&self) -> &'static str {
        match self {
            Self::Booking { .. } => "contract-management-system",
            Self::Automation { .. } => "crossdock",
        }
    }
}

impl Row for Event {
    const KIND: &'static str = "event";

    fn key(&self) -> Key<Self> {
        key::event(self.tenant, self.id)
    }
}

/// The id of the event that these parts, and no others, make.
pub fn identity(tenant: TenantId, parts: &[&[u8]]) -> EventId {
    let mut hash = Sha256::new_with_prefix(tenant.as_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    EventId::from_bytes(id)
}

/// Stores an event, once. Whether it was there already, and the row that is there now.
pub async fn accept(table: &Table, event: Event) -> Result<(Event, bool)> {
    match table.create(&event).await? {
        Created::New => Ok((event, false)),
        Created::Was(earlier) => Ok((*earlier, true)),
    }
}

/// What is known around an event that the event itself does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// The booking.
    pub booking_details: Option<Value>,
    /// Who booked.
    pub client_info: Option<Value>,
    /// Who provides.
    pub provider_info: Option<Value>,
}

/// The form in which an endpoint is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PayloadVersion)]
pub enum Form {
    /// The body of the booking events document, word for word.
    #[default]
    #[serde(rename = "1")]
    Document,
    /// The envelope that Standard Webhooks advises: `type`, `timestamp`, and version 1 as `data`.
    #[serde(rename = "2")]
    Standard,
}

impl Event {
    /// The body that is delivered: for bookings with the names of the booking events document, word for word. What is
    /// not known around a booking is left out and named in `missing_context`.
    pub fn payload(&self, environment: &str, known: &Context, outcome_url: Option<&str>) -> Result<String> {
        let mut payload = json!({
            "event_id": self.id,
            "event_type": self.event_type,
            "type": self.event_type,
            "event_time": self.time(),
            "source": self.content.source(),
            "trace_id": self.trace,
            "system": { "environment": environment, "timestamp": self.accepted_at },
        });
        if let Some(url) = outcome_url {
            payload["outcome_url"] = json!(url);
        }
        let raw = match &self.content {
            Content::Booking { operation, table, record, old_record } => {
                let own = own_context(record.as_deref().or(old_record.as_deref()));
                let mut missing = Vec::new();
                for (name, own, kept) in [
                    ("booking_details", own.booking_details, &known.booking_details),
                    ("client_info", own.client_info, &known.client_info),
                    ("provider_info", own.provider_info, &known.provider_info),
                ] {
                    match own.or_else(|| kept.clone()) {
                        Some(context) => payload[name] = context,
                        None => missing.push(name),
                    }
                }
                payload["missing_context"] = json!(missing);
                payload["origin"] = json!(self.origin);
                if let Some(own) = own_type(table, record.as_deref()) {
                    payload["event_type"] = own;
                }
                payload["operation"] = json!(operation);
                payload["table"] = json!(table);
                vec![
                    ("booking_event", record.as_ref().or(old_record.as_ref())),
                    ("old_record", record.is_some().then_some(old_record.as_ref()).flatten()),
                ]
            }
            Content::Automation { automation, template, data } => {
                payload["automation"] = json!({ "id": automation, "template_id": template });
                vec![("data", Some(data))]
            }
        };
        with_raw(&payload, &raw)
    }

    /// The body in the form that an endpoint has chosen.
    pub fn body(&self, form: Form, environment: &str, known: &Context, outcome_url: Option<&str>) -> Result<String> {
        let payload = self.payload(environment, known, outcome_url)?;
        match form {
            Form::Document => Ok(payload),
            Form::Standard => {
                let envelope = json!({ "type": self.event_type, "timestamp": self.time() });
                with_raw(&envelope, &[("data", Some(&payload))])
            }
        }
    }

    /// When it happened, as far as its sender says so.
    pub fn time(&self) -> Timestamp {
        self.occurred_at.unwrap_or(self.accepted_at)
    }
}

/// The payload with JSON texts put in as they are.
fn with_raw(payload: &Value, raw: &[(&str, Option<&String>)]) -> Result<String> {
    let broken = |cause: serde_json::Error| Error::internal("a stored event is not JSON", cause);
    let mut whole: std::collections::BTreeMap<&str, Box<RawValue>> = std::collections::BTreeMap::new();
    for (name, value) in payload.as_object().into_iter().flatten() {
        whole.insert(name, serde_json::value::to_raw_value(value).map_err(broken)?);
    }
    for (name, text) in raw {
        if let Some(text) = text {
            whole.insert(name, RawValue::from_string((*text).clone()).map_err(broken)?);
        }
    }
    serde_json::to_string(&whole).map_err(broken)
}

/// The type that a row of `booking_events` itself names: its `event_type`.
fn own_type(table: &str, record: Option<&str>) -> Option<Value> {
    let mut row: Value = serde_json::from_str(record.filter(|_| table == "booking_events")?).ok()?;
    Some(row["event_type"].take()).filter(Value::is_string)
}

/// The context that the row itself carries: details of the booking, and its people where they are named.
pub fn own_context(record: Option<&str>) -> Context {
    let row: Value = record.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let given = |name: &str| row.get(name).filter(|given| given.is_object()).cloned();
    Context {
        booking_details: given("booking_details").or_else(|| row.get("booking_number").map(|_| details(&row))),
        client_info: given("client_info"),
        provider_info: given("provider_info"),
    }
}

/// What the booking events document tells of a booking.
pub fn details(booking: &Value) -> Value {
    let fields = ["id", "booking_number", "client_id", "provider_id", "status", "total_price"];
    let told = fields.iter().filter_map(|field| Some(((*field).to_owned(), booking.get(field)?.clone())));
    Value::Object(told.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(record: &str) -> Event {
        Event {
            tenant: TenantId::new(),
            id: EventId::new(),
            event_type: "booking.updated".into(),
            trace: TraceId::new(),
            accepted_at: "2026-11-21T10:00:00Z".parse().unwrap(),
            occurred_at: None,
            to: None,
            origin: Origin::Live,
            content: Content::Booking {
                operation: "UPDATE".into(),
                table: "bookings".into(),
                record: Some(record.into()),
                old_record: None,
            },
        }
    }

    #[test]
    fn no_digit_of_a_number_is_lost() {
        let payload = event(r#"{"id":"b1","total_price":12345678901234567890.123456789}"#).payload("test", &Context::default(), None).unwrap();
        assert!(payload.contains("12345678901234567890.123456789"), "{payload}");
    }

    #[test]
    fn the_booking_stands_in_its_context() {
        let payload = event(r#"{"id":"b1","booking_number":"B-7","status":"confirmed","client_info":{"id":"c1","name":"Ana","email":"a@b.c"}}"#)
            .payload("test", &Context::default(), None)
            .unwrap();
        let payload: Value = serde_json::from_str(&payload).unwrap();
        assert_eq!(payload["booking_details"], json!({"id":"b1","booking_number":"B-7","status":"confirmed"}));
        assert_eq!(payload["client_info"]["name"], "Ana");
        assert_eq!(payload["missing_context"], json!(["provider_info"]));
        assert_eq!(payload["source"], "contract-management-system");
        assert_eq!(payload["system"]["environment"], "test");
    }

    #[test]
    fn an_execution_comes_from_us_and_not_from_the_booking_system() {
        let mut event = event("{}");
        event.content =
            Content::Automation { automation: AutomationId::new(), template: "t".into(), data: r#"{"a":1.10}"#.into() };
        let payload = event.payload("test", &Context::default(), None).unwrap();
        assert!(payload.contains(r#""source":"crossdock""#) && payload.contains(r#""data":{"a":1.10}"#), "{payload}");
    }

    #[test]
    fn the_same_parts_make_the_same_event_and_others_another() {
        let tenant = TenantId::new();
        assert_eq!(identity(tenant, &[b"a", b"b"]), identity(tenant, &[b"a", b"b"]));
        assert_ne!(identity(tenant, &[b"a", b"b"]), identity(tenant, &[b"ab", b""]));
        assert_ne!(identity(tenant, &[b"a"]), identity(TenantId::new(), &[b"a"]));
    }
}
