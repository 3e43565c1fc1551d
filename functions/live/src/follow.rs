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
    table::Table,
};

use crate::{
    numbers::{Numbers, Place},
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
    let given = deps.numbers.give(&places, Timestamp::now()).await?;

    let sending = events.iter().zip(given).map(|(event, given)| Sending { event, booking: kept(event), given });
    deps.sender.send(sending.collect()).await;
    Ok(())
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

/// What can never be kept must not cost the event its numbers.
async fn keep_one(table: &Table, event: &Event) -> Result<()> {
    let kept = async {
        booking::keep(table, event).await?;
        // Here, because a stream has two readers at most (docs.aws.amazon.com, DynamoDB Streams): deliveries are the other.
        achievement::count(table, event).await
    };
    match kept.await {
        Err(error) if !error.is_transient() => {
            tracing::error!(event = %event.id, error = ?error, "an event's row was not kept: {error}");
            Ok(())
        }
        kept => kept,
    }
}
