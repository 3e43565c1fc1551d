//! A connection begins to follow a channel: what it missed comes first, then what happens.

use shared::{
    Error, Result,
    gate::Person,
    key,
    listener::{Listener, Subscription},
    live::{Channel, head},
    socket::Reached,
    table::Table,
};

use crate::{
    pause, ping,
    pump::{Bounds, LEASE, Pump, Pumped, lease_end},
    replays::Replays,
    rights,
    told::{Code, Told},
};

/// So many channels a connection may follow.
pub const MOST: usize = 10;
/// What changes under us is read again so many times.
const TRIES: u32 = 20;

/// The subscription is stored with its lease held: whoever has an event for it in the meantime leaves its number, so that
/// `subscribed` is said first, and nothing is passed over.
pub async fn run(
    pump: &Pump,
    replays: &Replays<'_>,
    listener: Listener,
    channel: &Channel,
    since: Option<u64>,
    bounds: Bounds,
) -> Result<Reached> {
    let Person { tenant, .. } = *replays.person;
    rights::check(&pump.table, replays.person, channel).await?;
    let head = head(&pump.table, tenant, channel).await?;
    let since = since.unwrap_or(head);
    if since > head {
        return Err(Error::invalid("/since", format!("is above the last number of the channel, {head}")));
    }

    if since < head {
        replays.take().await?;
    }

    let Some(held) = store(&pump.table, listener.clone(), channel, since).await? else {
        let detail = format!("a connection follows at most {MOST} channels; unsubscribe from one first");
        let full = Told::Error { code: Code::TooManySubscriptions, detail, channel: Some(channel) };
        return pump.sockets.post(&listener.connection, &full.text()?).await;
    };
    let subscribed = Told::Subscribed { channel, since, head, expires_at: listener.expires_at() }.text()?;
    if pump.sockets.post(&listener.connection, &subscribed).await? == Reached::Gone {
        return Ok(Reached::Gone);
    }
    match pump.run(held, &[], bounds).await? {
        Pumped::Gone => Ok(Reached::Gone),
        // Its client sees by the heads that there is more, and asks for it.
        Pumped::Behind => ping::pong(pump, &listener, listener.channels.iter().chain([channel])).await,
        Pumped::Level | Pumped::Stuck | Pumped::Elsewhere => Ok(Reached::There),
    }
}

/// Stores the subscription and what the listener follows, together. One to the same channel is replaced: whoever sends by
/// it loses its lease. `None` where the connection follows too many already.
async fn store(table: &Table, mut listener: Listener, channel: &Channel, since: u64) -> Result<Option<Subscription>> {
    for attempt in 0..TRIES {
        let mut channels = listener.channels.clone();
        if channels.insert(channel.clone()) && channels.len() > MOST {
            return Ok(None);
        }
        let lease = format!("{:032x}", rand::random::<u128>());
        let begun = Subscription::begun(&listener, channel, since, &lease, lease_end(LEASE));
        let follows = table
            .change::<Listener>(key::listener(listener.tenant, &listener.connection))
            .set("channels", &channels)
            .set("revision", listener.revision + 1)
            .when("revision", listener.revision);
        match table.transact().change(follows).put(&begun).send().await {
            Ok(true) => return Ok(Some(begun)),
            Ok(false) => {}
            // An event was at the subscription that is replaced.
            Err(error) if error.is_transient() && attempt + 1 < TRIES => {}
            Err(error) => return Err(error),
        }
        pause(attempt).await;
        listener = table.get(key::listener(listener.tenant, &listener.connection)).await?;
    }
    Err(Error::unavailable("table", "the connection changes all the time"))
}
