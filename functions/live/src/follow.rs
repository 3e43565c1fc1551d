//! Stream of the table: keeps what new events say, gives them their numbers, and sends them to whoever follows.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use shared::{
    Result, achievement,
    booking::{self, Subjects},
    boot::{Aws, Changed, Missing},
    event::Event,
    live::Channel,
    metrics,
    table::Table,
};

use crate::{
    numbers::{Numbers, Outcome, Place},
    pump::Pump,
    send::{Sender, Sending},
    shown::bookings_of,
};

/// So many rows are kept at the same time.
const AT_ONCE: usize = 16;

/// What following needs.
pub struct Deps {
    table: Table,
    numbers: Numbers,
    sender: Sender,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        let (table, sockets, stage) = (aws.table()?.consistent(), aws.sockets()?, aws.setting("STAGE"));
        Ok(Self::new(Pump { table, sockets, stage }))
    }

    /// With that pump, whose table has to be a consistent one.
    pub fn new(pump: Pump) -> Self {
        let table = pump.table.clone();
        Self { numbers: Numbers::new(table.clone()), sender: Sender::new(pump), table }
    }
}

/// May see a record twice. What the table cannot take now makes the stream wait; what a socket cannot take never does.
pub async fn handle(deps: &Deps, changes: Vec<Changed>) -> Result<()> {
    let events = events_of(changes)?;

    keep(&deps.table, &events).await?;
    let bookings = bookings_of(&deps.table, events.iter()).await?;
    let kept = |event: &Event| bookings.get(&(event.tenant, Subjects::of(event).booking?));
    let places: Vec<_> = events
        .iter()
        .map(|event| Place { event, channels: Channel::of(&Subjects::of(event).completed(kept(event))) })
        .collect();
    let outcomes = deps.numbers.give(&places, Timestamp::now()).await?;
    if let Some(lag) = lag(&events, &outcomes, Timestamp::now()) {
        metrics::milliseconds("LiveLag", lag);
    }

    let sending = events.iter().zip(outcomes);
    let sending = sending.map(|(event, Outcome { given, .. })| Sending { event, booking: kept(event), given });
    deps.sender.send(sending.collect()).await;
    Ok(())
}

/// How long it took from the acceptance of the oldest event to its numbers, in milliseconds. Events that had theirs before
/// say nothing of now: a stream that is read once more from its beginning is not late.
fn lag(events: &[Event], outcomes: &[Outcome], now: Timestamp) -> Option<i64> {
    let new = events.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_new);
    let oldest = new.map(|(event, _)| event.accepted_at).min()?;
    Some(now.duration_since(oldest).as_millis().try_into().unwrap_or(i64::MAX))
}

/// The events that were made, each once, in their order.
fn events_of(changes: Vec<Changed>) -> Result<Vec<Event>> {
    let mut seen = BTreeSet::new();
    let events = changes.into_iter().filter_map(|changed| changed.made::<Event>().transpose());
    events.filter(|event| event.as_ref().map_or(true, |event| seen.insert(event.id))).collect()
}

/// Keeps what events say: those of one booking in their order, others at the same time.
async fn keep(table: &Table, events: &[Event]) -> Result<()> {
    let mut rows: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let row = Subjects::of(event).booking.unwrap_or_else(|| event.id.to_string());
        rows.entry((event.tenant, row)).or_default().push(event);
    }
    let kept: Vec<_> = rows
        .into_values()
        .map(|events| async move {
            for event in events {
                keep_one(table, event).await?;
            }
            Ok(())
        })
        .collect();
    stream::iter(kept).buffer_unordered(AT_ONCE).try_collect().await
}

/// What can never be kept or counted must not cost the event its numbers.
async fn keep_one(table: &Table, event: &Event) -> Result<()> {
    but_for_good(booking::keep(table, event).await, event, "its row was not kept")?;
    // Here, because a stream has two readers at most (docs.aws.amazon.com, DynamoDB Streams): deliveries are the other.
    but_for_good(achievement::count(table, event).await, event, "it was not counted as achieved")
}

/// The outcome, but for a failure that trying again would not mend: that one is logged.
fn but_for_good(outcome: Result<()>, event: &Event, what: &str) -> Result<()> {
    match outcome {
        Err(error) if !error.is_transient() => {
            tracing::error!(tenant.id = %event.tenant, event.id = %event.id, trace_id = %event.trace, error = ?error, "of an event {what}: {error}");
            Ok(())
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use shared::{
        event::{Content, Origin},
        id::{EventId, TenantId},
        trace::TraceId,
    };

    use super::*;
    use crate::numbers::Given;

    #[test]
    fn the_lag_is_that_of_the_oldest_event_that_got_its_numbers_now() {
        let now = Timestamp::now();
        let accepted = |seconds_ago: i64| Event {
            tenant: TenantId::new(),
            id: EventId::from_bytes([1; 16]),
            event_type: "booking.updated".into(),
            trace: TraceId::new(),
            accepted_at: now - SignedDuration::from_secs(seconds_ago),
            occurred_at: None,
            to: None,
            origin: Origin::Live,
            content: Content::Booking {
                operation: shared::booking::Operation::Update,
                table: "bookings".into(),
                record: None,
                old_record: None,
            },
        };
        let outcome = |is_new| Outcome { given: Given::new(), is_new };
        let events = [accepted(3), accepted(90_000), accepted(7)];
        let some = [outcome(true), outcome(false), outcome(true)];
        assert_eq!(lag(&events, &some, now), Some(7_000));
        assert_eq!(lag(&events, &[outcome(false), outcome(false), outcome(false)], now), None);
        assert_eq!(lag(&[], &[], now), None);
    }
}
