//! `POST /api/webhooks/booking-events`: takes booking events and stores each once.

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::value::RawValue;
use shared::{
    Error, Result,
    apikey::Scope,
    boot::{Aws, Missing},
    event::{self, Event},
    gate::{Gate, Machine},
    http::{BODY_LIMIT, Call, Reply},
    id::EventId,
    idempotency,
    limit::Rate,
    table::Table,
    trace::TraceId,
};
use utoipa::ToSchema;

use crate::row_change::RowChange;

/// The most changes of one call.
const MOST: usize = 100;
/// So many rows are written at the same time.
const AT_ONCE: usize = 10;

/// What receiving needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()? })
    }
}

/// A change of one row, as Supabase's database webhooks send it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body; RowChange reads it")]
pub struct SupabaseRowChange {
    /// `INSERT`, `UPDATE` or `DELETE`.
    #[schema(rename = "type", example = "UPDATE")]
    operation: String,
    /// `bookings`, `booking_events`, `clients` or `providers`.
    #[schema(example = "bookings")]
    table: String,
    /// The schema of the table.
    #[schema(example = "public")]
    schema: Option<String>,
    /// The row as it is; null when it was deleted.
    record: Option<serde_json::Value>,
    /// The row as it was; null when it is new.
    old_record: Option<serde_json::Value>,
}

/// One change, or several.
#[derive(ToSchema)]
#[schema(as = BookingChanges)]
#[serde(untagged)]
pub enum Given {
    /// A change.
    One(SupabaseRowChange),
    /// Changes.
    Several(SeveralGiven),
}

/// 1 to 100 changes.
#[derive(ToSchema)]
#[schema(as = SupabaseRowChanges, min_items = 1, max_items = 100)]
#[expect(dead_code, reason = "describes the body; Changes reads it")]
pub struct SeveralGiven(Vec<SupabaseRowChange>);

/// An event that is stored.
#[derive(Serialize, ToSchema)]
pub struct AcceptedEvent {
    /// Its id.
    event_id: EventId,
    /// Whether it was stored before: then nothing more happens.
    duplicate: bool,
    /// Follows the event to its end.
    trace_id: TraceId,
}

/// Several events that are stored, in the order of the call.
#[derive(Serialize, ToSchema)]
pub struct AcceptedEvents {
    /// The events.
    events: Vec<AcceptedEvent>,
    /// How many of them are new.
    accepted: usize,
    /// How many were stored before.
    duplicates: usize,
}

/// What is stored, in the form of the call.
#[derive(Serialize, ToSchema)]
#[schema(as = BookingEventsAccepted)]
#[serde(untagged)]
pub enum Accepted {
    /// Of one change.
    One(AcceptedEvent),
    /// Of an array of changes.
    Several(AcceptedEvents),
}

/// Takes a change of a booking or booking event, or an array of up to 100, and stores each once.
///
/// Changes of the tables `clients` and `providers` are taken too: they keep the names in what is told of bookings current,
/// and are events of their own types, `client.*` and `provider.*`.
///
/// 202 means stored: it will be delivered to every endpoint that wants it, whatever fails on the way. A change that is
/// reported again is recognised by its row and answered with `duplicate: true`. All changes of an array are checked
/// before any is stored, and each counts against the limit of 12,000 a minute. Authenticated by an API key with the scope
/// `booking_events`; at most 256 KiB.
///
/// The answer to an array has `events`, `accepted` and `duplicates`.
#[utoipa::path(
    post,
    path = "/api/webhooks/booking-events",
    operation_id = "booking_events_receive",
    tag = "bookings",
    security(("api_key" = [])),
    request_body = Given,
    responses((status = 202, description = "It is stored", body = Accepted))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let machine = deps.gate.machine(&call, Scope::BookingEvents, Rate::BATCHES).await?;
    let changes = Changes::read(&call, &machine)?;
    deps.gate.batch(&call, &machine, Rate::BATCHES, changes.events.len()).await?;

    let who = machine.key.to_string();
    idempotency::once(&deps.table, &call, machine.tenant, &who, async || store(&deps.table, changes).await).await
}

async fn store(table: &Table, changes: Changes) -> Result<Reply> {
    let mut events: Vec<AcceptedEvent> = stream::iter(changes.events)
        .map(|event| async {
            let (event, duplicate) = event::accept(table, event).await?;
            Ok::<_, Error>(AcceptedEvent { event_id: event.id, duplicate, trace_id: event.trace })
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;

    Ok(Reply::accepted(match (changes.single, events.pop()) {
        (true, Some(only)) => Accepted::One(only),
        (_, last) => {
            events.extend(last);
            let duplicates = events.iter().filter(|event| event.duplicate).count();
            Accepted::Several(AcceptedEvents { accepted: events.len() - duplicates, duplicates, events })
        }
    }))
}

/// The events of one call.
struct Changes {
    events: Vec<Event>,
    single: bool,
}

impl Changes {
    fn read(call: &Call, machine: &Machine) -> Result<Self> {
        // Says what is wrong with the whole; the parts are read from the bytes again, to keep their texts.
        let value = call.value(BODY_LIMIT)?;
        let parts: Vec<&RawValue> = match &value {
            serde_json::Value::Array(all) if all.is_empty() => return Err(Error::invalid("", "the array is empty")),
            serde_json::Value::Array(all) if all.len() > MOST => {
                return Err(Error::invalid("", format!("at most {MOST} changes in one call")));
            }
            serde_json::Value::Array(_) => read(call.body())?,
            serde_json::Value::Object(_) => vec![read(call.body())?],
            _ => return Err(Error::invalid("", "must be a change or an array of changes")),
        };
        let single = value.is_object();

        let (mut events, mut faults) = (Vec::new(), Vec::new());
        for (n, part) in parts.into_iter().enumerate() {
            let at = if single { String::new() } else { format!("/{n}") };
            match serde_json::from_str::<RowChange>(part.get()) {
                Ok(change) => match change.event(machine.tenant, call.trace, call.now, &at) {
                    Ok(event) => events.push(event),
                    Err(more) => faults.extend(more),
                },
                Err(_) => {
                    faults.push(shared::Fault::at(at, "must be an object with type, table, record and old_record"))
                }
            }
        }
        if faults.is_empty() { Ok(Self { events, single }) } else { Err(Error::Invalid(faults)) }
    }
}

fn read<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|why| Error::invalid("", format!("the body is not JSON: {why}")))
}
