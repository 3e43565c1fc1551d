//! The body that is delivered: for bookings with the names of the booking events document, word for word.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{Content, Event, message::Message};
use crate::{
    booking::{BOOKING_EVENTS, BOOKINGS, CLIENTS, PROVIDERS},
    error::{Error, Result},
    raw::{Columns, columns},
};

/// What is known around an event that the event itself does not say: JSON texts, as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The booking.
    pub booking_details: Option<String>,
    /// Who booked.
    pub client_info: Option<String>,
    /// Who provides.
    pub provider_info: Option<String>,
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
    /// A message that an incoming webhook of Slack takes.
    #[serde(rename = "slack")]
    Slack,
    /// A card that a workflow of Microsoft Teams takes.
    #[serde(rename = "teams")]
    Teams,
    /// An e-mail of plain text: of endpoints whose address is one of e-mail, and of no others.
    #[serde(rename = "email")]
    Email,
}

impl Event {
    /// The body that is delivered. What is not known around a booking is left out and named in `missing_context`.
    pub fn payload(&self, environment: &str, known: &Context, outcome_url: Option<&str>) -> Result<String> {
        let mut told = Told::default();
        told.put("event_id", &self.id)?;
        told.put("event_type", &self.event_type)?;
        told.put("type", &self.event_type)?;
        told.put("event_time", &self.time())?;
        told.put("source", self.content.source())?;
        told.put("trace_id", &self.trace)?;
        told.put("system", &json!({ "environment": environment, "timestamp": self.accepted_at }))?;
        told.put_some("outcome_url", outcome_url)?;
        match &self.content {
            Content::Booking { operation, table, record, old_record } => {
                told.put("operation", operation)?;
                told.put("table", table)?;
                told.put("origin", &self.origin)?;
                told.put_text("booking_event", record.as_ref().or(old_record.as_ref()))?;
                told.put_text("old_record", old_record.as_ref().filter(|_| record.is_some()))?;
                let row = record.as_deref().or(old_record.as_deref()).and_then(columns).unwrap_or_default();
                told.put("id", &self.id)?;
                if table == BOOKING_EVENTS {
                    // As a view of events shows them: the source's own id, type and description.
                    told.put_some("id", row.get("id"))?;
                    told.put_some("event_type", row.get("event_type").filter(|own| is_text(own)))?;
                    told.put_some("description", row.get("description"))?;
                }
                around(&mut told, table, &row, known)?;
            }
            Content::Automation { automation, template, data } => {
                told.put("automation", &json!({ "id": automation, "template_id": template }))?;
                told.put_text("data", Some(data))?;
            }
            Content::Alert { alert, title, data, .. } => {
                told.put("alert_id", alert)?;
                told.put("title", title)?;
                told.put_text("alert", Some(data))?;
            }
        }
        told.whole()
    }

    /// The body in the form that an endpoint has chosen.
    pub fn body(&self, form: Form, environment: &str, known: &Context, outcome_url: Option<&str>) -> Result<String> {
        match form {
            Form::Slack => Ok(Message::of(self).slack()),
            Form::Teams => Ok(Message::of(self).teams()),
            Form::Email => serde_json::to_string(&Message::of(self).email()).map_err(broken),
            Form::Document => self.payload(environment, known, outcome_url),
            Form::Standard => {
                let payload = self.payload(environment, known, outcome_url)?;
                let mut told = Told::default();
                told.put("type", &self.event_type)?;
                told.put("timestamp", &self.time())?;
                told.put_text("data", Some(&payload))?;
                told.whole()
            }
        }
    }

    /// What the event itself tells around it.
    pub fn own_context(&self) -> Context {
        let Content::Booking { table, record, old_record, .. } = &self.content else { return Context::default() };
        let row = record.as_deref().or(old_record.as_deref()).and_then(columns).unwrap_or_default();
        own_context(table, &row)
    }
}

/// The context of a booking: from the row where it tells it, else what is known, if it is about the same people.
fn around(told: &mut Told, table: &str, row: &Columns<'_>, known: &Context) -> Result<()> {
    let own = own_context(table, row);
    let about_booking = matches!(table, BOOKINGS | BOOKING_EVENTS);
    let known = if about_booking { known } else { &Context::default() };
    let same = |field: &str, info: &Option<String>| {
        let info = info.as_deref().filter(|info| row.get(field).is_none_or(|id| id.get() == "null" || is_of(info, id)));
        info.map(ToOwned::to_owned)
    };
    let details = own.booking_details.or_else(|| known.booking_details.clone()).or_else(|| denormalised(table, row));
    let client = own.client_info.or_else(|| same("client_id", &known.client_info));
    let provider = own.provider_info.or_else(|| same("provider_id", &known.provider_info));
    let mut missing = Vec::new();
    for (name, context) in [("booking_details", details), ("client_info", client), ("provider_info", provider)] {
        match context {
            Some(context) => told.put_text(name, Some(&context))?,
            None => missing.push(name),
        }
    }
    told.put("missing_context", if about_booking { missing.as_slice() } else { &[] })
}

fn own_context(table: &str, row: &Columns<'_>) -> Context {
    let given = |name: &str| row.get(name).filter(|given| given.get().starts_with('{')).map(|it| it.get().to_owned());
    Context {
        booking_details: given("booking_details")
            .or_else(|| (table == BOOKINGS && !row.is_empty()).then(|| details(row))),
        client_info: given("client_info").or_else(|| (table == CLIENTS).then(|| person(table, row))),
        provider_info: given("provider_info").or_else(|| (table == PROVIDERS).then(|| person(table, row))),
    }
}

/// What the booking events document tells of a booking: `id`, `booking_number`, `client_id`, `provider_id`, `status`,
/// `total_price` and its further columns.
pub fn details(booking: &Columns<'_>) -> String {
    const AROUND: [&str; 3] = ["booking_details", "client_info", "provider_info"];
    object(
        booking
            .iter()
            .filter(|(name, _)| !AROUND.contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), *value)),
    )
}

/// What it tells of a person: of the table `providers`, `company_name` too.
pub fn person(table: &str, row: &Columns<'_>) -> String {
    let fields = ["id", "name", "email"].into_iter().chain((table == PROVIDERS).then_some("company_name"));
    object(fields.filter_map(|field| Some((field, *row.get(field).filter(|value| value.get().len() <= LONGEST)?))))
}

/// The longest value that is told of a person: it is stored again with each of its bookings.
const LONGEST: usize = 1_024;

/// Whether what is told of a person is about the one with this id.
pub fn is_of(info: &str, id: &RawValue) -> bool {
    columns(info).is_some_and(|info| info.get("id").is_some_and(|of| of.get() == id.get()))
}

/// What a row of `booking_events` repeats of its booking.
fn denormalised(table: &str, row: &Columns<'_>) -> Option<String> {
    const REPEATED: [&str; 5] = ["booking_number", "client_id", "provider_id", "status", "total_price"];
    if table != BOOKING_EVENTS || !row.contains_key("booking_number") {
        return None;
    }
    let id = row.get("booking_id").map(|id| ("id", *id));
    Some(object(id.into_iter().chain(REPEATED.into_iter().filter_map(|field| Some((field, *row.get(field)?))))))
}

fn object<'a>(members: impl Iterator<Item = (&'a str, &'a RawValue)>) -> String {
    let members: BTreeMap<_, _> = members.collect();
    serde_json::to_string(&members).unwrap_or_default()
}

fn is_text(value: &RawValue) -> bool {
    value.get().starts_with('"')
}

/// A body in the making: JSON texts by name.
#[derive(Default)]
struct Told(BTreeMap<&'static str, Box<RawValue>>);

impl Told {
    fn put<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.0.insert(name, serde_json::value::to_raw_value(value).map_err(broken)?);
        Ok(())
    }

    fn put_some<T: Serialize>(&mut self, name: &'static str, value: Option<T>) -> Result<()> {
        value.map_or(Ok(()), |value| self.put(name, &value))
    }

    /// Puts a JSON text in as it is.
    fn put_text(&mut self, name: &'static str, text: Option<&String>) -> Result<()> {
        if let Some(text) = text {
            self.0.insert(name, RawValue::from_string(text.clone()).map_err(broken)?);
        }
        Ok(())
    }

    fn whole(self) -> Result<String> {
        serde_json::to_string(&self.0).map_err(broken)
    }
}

fn broken(cause: serde_json::Error) -> Error {
    Error::internal("a stored event is not JSON", cause)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{
        booking::{Change, Operation},
        event::Origin,
        id::{AutomationId, TenantId},
        trace::TraceId,
    };

    fn event(table: &str, record: &str) -> Event {
        let change =
            Change { operation: Operation::Update, schema: "public", table, record: Some(record), old_record: None };
        let now = "2026-11-21T10:00:00Z".parse().unwrap();
        change.event(TenantId::new(), TraceId::new(), now, Origin::Live)
    }

    fn told(event: &Event, known: &Context) -> Value {
        serde_json::from_str(&event.payload("test", known, None).unwrap()).unwrap()
    }

    #[test]
    fn no_digit_of_a_number_is_lost() {
        let price = "12345678901234567890.123456789";
        let row = format!(r#"{{"id":"b1","total_price":{price}}}"#);
        let payload = event("bookings", &row).payload("test", &Context::default(), None).unwrap();
        assert_eq!(payload.matches(price).count(), 2, "as the event and as its booking: {payload}");
    }

    #[test]
    fn a_booking_stands_in_its_context() {
        let row = r#"{"id":"b1","booking_number":"B-7","status":"confirmed","seats":2,"client_info":{"id":"c1","name":"Ana","email":"a@b.c"}}"#;
        let payload = told(&event("bookings", row), &Context::default());
        assert_eq!(
            payload["booking_details"],
            json!({"id":"b1","booking_number":"B-7","status":"confirmed","seats":2})
        );
        assert_eq!(payload["client_info"]["name"], "Ana");
        assert_eq!(payload["missing_context"], json!(["provider_info"]));
        assert_eq!(payload["source"], "contract-management-system");
        assert_eq!(payload["system"]["environment"], "test");
        assert_eq!(payload["origin"], "live");
    }

    #[test]
    fn an_event_of_the_source_speaks_for_itself() {
        let row = r#"{"id":41,"booking_id":"b1","event_type":"payment.received","description":"Paid","booking_number":"B-7"}"#;
        let event = event("booking_events", row);
        let known = Context { booking_details: Some(r#"{"id":"b1","total_price":1.10}"#.into()), ..Context::default() };

        let (alone, with) = (told(&event, &Context::default()), told(&event, &known));

        assert_eq!(alone["event_type"], "payment.received");
        assert_eq!(alone["type"], "booking_event.updated");
        assert_eq!((&alone["id"], &alone["description"]), (&json!(41), &json!("Paid")));
        assert_eq!(alone["booking_details"], json!({"id":"b1","booking_number":"B-7"}));
        assert_eq!(with["booking_details"], json!({"id":"b1","total_price":1.10}));
        assert_eq!(with["missing_context"], json!(["client_info", "provider_info"]));
    }

    #[test]
    fn what_is_known_of_other_people_is_not_told() {
        let known = Context {
            client_info: Some(r#"{"id":"c1","name":"Ana"}"#.into()),
            provider_info: Some(r#"{"id":7,"name":"Bo"}"#.into()),
            ..Context::default()
        };
        let payload = told(&event("bookings", r#"{"id":"b1","client_id":"c2","provider_id":7}"#), &known);
        assert_eq!(payload["missing_context"], json!(["client_info"]));
        assert_eq!(payload["provider_info"]["name"], "Bo");
    }

    #[test]
    fn a_person_is_its_own_context() {
        let payload =
            told(&event("providers", r#"{"id":"p1","name":"Bo","email":null,"phone":"1"}"#), &Context::default());
        assert_eq!(payload["provider_info"], json!({"id":"p1","name":"Bo","email":null}));
        assert_eq!(payload["missing_context"], json!([]));
    }

    #[test]
    fn an_execution_comes_from_us_and_not_from_the_booking_system() {
        let mut event = event("bookings", "{}");
        event.content =
            Content::Automation { automation: AutomationId::new(), template: "t".into(), data: r#"{"a":1.10}"#.into() };
        let payload = event.payload("test", &Context::default(), None).unwrap();
        assert!(payload.contains(r#""source":"crossdock""#) && payload.contains(r#""data":{"a":1.10}"#), "{payload}");
    }
}
