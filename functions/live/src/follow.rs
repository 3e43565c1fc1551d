//! Stream of the table: keeps what a new event says, gives it its numbers, and sends it to whoever follows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt, future::try_join_all, stream};
use jiff::Timestamp;
use shared::{
    Result,
    booking::{self, Subjects},
    boot::{Aws, Changed, Missing},
    event::Event,
    id::TenantId,
    key,
    listener::Subscription,
    live::Channel,
    socket::PATIENCE,
    table::Table,
};

use crate::{
    leave::leave,
    numbers::{Given, Numbers},
    pump::{Bounds, Pump, Pumped, message},
    shown::{Shown, show},
};

/// So many followers are sent to at the same time.
const AT_ONCE: usize = 32;
/// An event is sent for so long at most: whoever follows and got nothing by then gets it with the next event, or ping.
const SENDING: Duration = Duration::from_secs(5);
/// And when that was not enough, nothing is sent to its tenant for so long: the stream goes on.
const QUIET: Duration = Duration::from_secs(15);
/// A follower that lacks more gets so many numbers with an event, for all tenants wait here; the next event brings more,
/// its client's next message the rest.
const STRIDE: usize = 10;

/// What following needs.
pub struct Deps {
    table: Table,
    numbers: Numbers,
    pump: Pump,
    /// To these nothing is sent until then.
    quiet: Mutex<HashMap<TenantId, Instant>>,
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
        Self { numbers: Numbers::new(table.clone()), table, pump, quiet: Mutex::default() }
    }

    fn is_quiet(&self, tenant: TenantId) -> bool {
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        quiet.retain(|_, until| *until > Instant::now());
        quiet.contains_key(&tenant)
    }

    fn hush(&self, tenant: TenantId) {
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        quiet.insert(tenant, Instant::now() + QUIET);
    }
}

/// May see a record twice. What the table cannot take now makes the stream wait; what a socket cannot take never does.
pub async fn handle(deps: &Deps, changed: Changed) -> Result<()> {
    let Some(event) = changed.made::<Event>()? else {
        return Ok(());
    };

    keep(&deps.table, &event).await?;
    let kept = booking::kept_booking(&deps.table, &event).await?;
    let channels = Channel::of(&Subjects::of(&event).completed(kept.as_ref()));
    let given = deps.numbers.give(&event, &channels, Timestamp::now()).await?;

    let sent = async { send(deps, &event, show(&event, &deps.pump.stage, kept.as_ref())?, given).await };
    if let Err(error) = sent.await {
        tracing::warn!(error = ?error, "an event was not sent to all who follow it: {error}");
    }
    Ok(())
}

/// What can never be kept must not cost the event its numbers.
async fn keep(table: &Table, event: &Event) -> Result<()> {
    match booking::keep(table, event).await {
        Err(error) if !error.is_transient() => {
            tracing::error!(event = %event.id, error = ?error, "an event's row was not kept: {error}");
            Ok(())
        }
        kept => kept,
    }
}

async fn send(deps: &Deps, event: &Event, body: Box<serde_json::value::RawValue>, given: Given) -> Result<()> {
    if given.is_empty() || deps.is_quiet(event.tenant) {
        return Ok(());
    }
    let looked = given.iter().map(|(channel, number)| lacking(&deps.table, event, channel, *number));
    let mut followers = Vec::new();
    let mut shown = Shown { number: 0, event: body };
    for ((channel, number), lacking) in given.iter().zip(try_join_all(looked).await?) {
        shown.number = *number;
        let text: Arc<str> = message(channel, &shown)?.into();
        followers.extend(lacking.into_iter().map(|follower| (follower, *number, text.clone())));
    }
    let lease = event.id.to_string();
    let bounds = Bounds { until: Instant::now() + SENDING, most: STRIDE };
    let sending = stream::iter(followers).for_each_concurrent(AT_ONCE, |(follower, number, text)| {
        let lease = &lease;
        async move { send_to(deps, &follower, (number, &text), lease, bounds).await }
    });
    if tokio::time::timeout(SENDING + PATIENCE, sending).await.is_err() {
        deps.hush(event.tenant);
        tracing::warn!(tenant.id = %event.tenant, "sending took too long; nothing is sent to this tenant for {QUIET:?}");
    }
    Ok(())
}

/// Who follows a channel and has not got that number.
async fn lacking(table: &Table, event: &Event, channel: &Channel, number: u64) -> Result<Vec<Subscription>> {
    let mut all = table.list_all(&key::subscriptions(event.tenant, channel)).await?;
    all.retain(|follower| follower.sent < number && !Pump::is_resting(follower));
    Ok(all)
}

async fn send_to(deps: &Deps, to: &Subscription, in_hand: (u64, &str), lease: &str, bounds: Bounds) {
    let pumped = async {
        if deps.pump.push(to, in_hand, lease, bounds).await? == Pumped::Gone {
            leave(&deps.table, to.tenant, &to.connection).await?;
            // Of a connection that was removed while it subscribed.
            deps.table.delete(key::subscription(to.tenant, &to.channel, &to.connection)).await?;
        }
        Ok::<_, shared::Error>(())
    };
    if let Err(error) = pumped.await {
        tracing::warn!(error = ?error, "an event was not sent to one who follows it: {error}");
    }
}
