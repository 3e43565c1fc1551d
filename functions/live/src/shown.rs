//! The events of a channel, as live clients and readers of its history are shown them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::value::RawValue;
use shared::{
    Error, Result,
    booking::{BOOKINGS, Kept, Subjects},
    event::Event,
    id::{EventId, TenantId},
    key,
    live::Entry,
    table::Table,
};

/// An event whose body is larger than this is shown without its rows: API Gateway sends messages of 128 kB at most.
const LARGEST: usize = 100_000;

/// Kept bookings by tenant and id.
pub type Bookings = HashMap<(TenantId, String), Kept>;

/// An event with its number.
pub struct Shown {
    /// In its channel.
    pub number: u64,
    /// What webhooks deliver of it.
    pub event: Box<RawValue>,
}

/// What these numbers stand for, in their order. A number whose event is no longer stored is shown with what is left of
/// it, for there is no gap.
pub async fn read(table: &Table, stage: &str, entries: &[Entry]) -> Result<Vec<Shown>> {
    let events = events_of(table, entries).await?;
    let bookings = bookings_of(table, events.values()).await?;
    entries
        .iter()
        .map(|entry| {
            let event = match events.get(&entry.event) {
                Some(event) => {
                    let booking = Subjects::of(event).booking.and_then(|id| bookings.get(&(event.tenant, id)));
                    show(event, stage, booking)?
                }
                None => forgotten(entry)?,
            };
            Ok(Shown { number: entry.number, event })
        })
        .collect()
}

/// One event, with what is known of its booking.
pub fn show(event: &Event, stage: &str, booking: Option<&Kept>) -> Result<Box<RawValue>> {
    let context = booking.map(Kept::context).unwrap_or_default();
    raw(shortened(event.payload(stage, &context, None)?)?)
}

async fn events_of(table: &Table, entries: &[Entry]) -> Result<HashMap<EventId, Event>> {
    let keys: Vec<_> = entries.iter().map(|entry| key::event(entry.tenant, entry.event)).collect();
    Ok(table.find_all(&keys).await?.into_iter().map(|event| (event.id, event)).collect())
}

/// The bookings that events are about, as they are kept.
pub async fn bookings_of(table: &Table, events: impl Iterator<Item = &Event>) -> Result<Bookings> {
    let named: BTreeSet<_> = events.filter_map(|event| Some((event.tenant, Subjects::of(event).booking?))).collect();
    let keys: Vec<_> = named.iter().map(|(tenant, id)| key::kept(*tenant, BOOKINGS, id)).collect();
    let kept = table.find_all(&keys).await?.into_iter();
    Ok(kept.map(|kept: Kept| ((kept.tenant, kept.id.clone()), kept)).collect())
}

/// Without its rows, and if need be without what is known around them, where it is too large for a message.
fn shortened(payload: String) -> Result<String> {
    if payload.len() <= LARGEST {
        return Ok(payload);
    }
    let broken = |cause: serde_json::Error| Error::internal("a payload is not JSON", cause);
    let mut parts: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&payload).map_err(broken)?;
    for large in [&["booking_event", "old_record"][..], &["booking_details", "client_info", "provider_info"]] {
        parts.retain(|name, _| !large.contains(&name.as_str()));
        parts.insert("truncated".into(), raw("true".into())?);
        let shorter = serde_json::to_string(&parts).map_err(broken)?;
        if shorter.len() <= LARGEST {
            return Ok(shorter);
        }
    }
    // The row's own texts stand around it, too.
    parts.retain(|name, _| {
        ["event_id", "event_time", "origin", "trace_id", "truncated", "type"].contains(&name.as_str())
    });
    serde_json::to_string(&parts).map_err(broken)
}

fn forgotten(entry: &Entry) -> Result<Box<RawValue>> {
    raw(serde_json::json!({ "event_id": entry.event, "event_time": entry.at, "truncated": true }).to_string())
}

fn raw(text: String) -> Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(|cause| Error::internal("a payload is not JSON", cause))
}
