//! A client says that it is there, and learns how it stands. What it lacks is sent first.

use futures::future::try_join_all;
use jiff::Timestamp;
use shared::{
    Error, Result, key,
    listener::Listener,
    live::{Channel, head},
    socket::Reached,
};

use crate::{
    pump::{Bounds, Pump, Pumped},
    replays::Replays,
    told::Told,
};

/// Sends what lags on any of its channels, as far as its person has replays left, then the heads that were there before:
/// by these its client sees what still lacks.
pub async fn run(
    pump: &Pump,
    replays: &Replays<'_>,
    listener: &Listener,
    now: Timestamp,
    bounds: Bounds,
) -> Result<Reached> {
    let heads = heads(pump, listener, &listener.channels).await?;
    for (channel, head) in &heads {
        let key = key::subscription(listener.tenant, channel, &listener.connection);
        let Some(subscription) = pump.table.find_now(key).await? else { continue };
        if subscription.sent >= *head {
            continue;
        }
        match replays.take().await {
            Err(Error::TooMany { .. }) => break,
            taken => taken?,
        }
        let lease = format!("{:032x}", rand::random::<u128>());
        if pump.catch_up(&subscription, &lease, bounds).await? == Pumped::Gone {
            return Ok(Reached::Gone);
        }
    }
    say(pump, listener, now, heads).await
}

/// How it stands on some of its channels.
pub async fn pong<'c>(
    pump: &Pump,
    listener: &Listener,
    channels: impl IntoIterator<Item = &'c Channel>,
) -> Result<Reached> {
    let heads = heads(pump, listener, channels).await?;
    say(pump, listener, Timestamp::now(), heads).await
}

async fn heads<'c>(
    pump: &Pump,
    listener: &Listener,
    channels: impl IntoIterator<Item = &'c Channel>,
) -> Result<Vec<(Channel, u64)>> {
    try_join_all(
        channels
            .into_iter()
            .map(|channel| async move { Ok((channel.clone(), head(&pump.table, listener.tenant, channel).await?)) }),
    )
    .await
}

async fn say(pump: &Pump, listener: &Listener, at: Timestamp, heads: Vec<(Channel, u64)>) -> Result<Reached> {
    let heads = heads.into_iter().map(|(channel, head)| (channel.to_string(), head)).collect();
    let pong = Told::Pong { at, expires_at: listener.expires_at(), heads };
    pump.sockets.post(&listener.connection, &pong.text()?).await
}
