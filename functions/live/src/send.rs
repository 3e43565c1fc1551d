//! Sends events that have their numbers to whoever follows their channels. Nothing here is an error of the stream's.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::{
    Result,
    booking::Kept,
    event::Event,
    id::{EventId, TenantId},
    key,
    listener::Subscription,
    live::Channel,
    socket::PATIENCE,
};

use crate::{
    leave::leave,
    numbers::Given,
    pump::{Bounds, InHand, Pump, Pumped, message},
    shown::show,
};

/// So many followers are sent to, and channels looked at, at the same time.
const AT_ONCE: usize = 32;
/// Events are sent for so long at most: whoever follows and got nothing by then gets it with the next event, or ping.
const SENDING: Duration = Duration::from_secs(5);
/// And when that was not enough, nothing is sent to their tenant for so long: the stream goes on.
const QUIET: Duration = Duration::from_secs(15);
/// A follower that lacks more than is new gets so many numbers besides, for all tenants wait here; the next event brings
/// more, its client's next message the rest.
const STRIDE: usize = 10;

/// An event on its way to its followers.
pub struct Sending<'e> {
    /// What happened.
    pub event: &'e Event,
    /// Its booking, as it is kept.
    pub booking: Option<&'e Kept>,
    /// Its numbers.
    pub given: Given,
}

/// Sends to followers.
pub struct Sender {
    pump: Pump,
    /// To these nothing is sent until then.
    quiet: Mutex<HashMap<TenantId, Instant>>,
}

/// The new numbers of one channel, the oldest first, and their events.
type News<'s, 'e> = BTreeMap<u64, &'s Sending<'e>>;

impl Sender {
    /// One that sends by that pump.
    pub fn new(pump: Pump) -> Self {
        Self { pump, quiet: Mutex::default() }
    }

    /// Sends what has numbers to whoever follows and lacks them; each tenant's for itself.
    pub async fn send(&self, all: Vec<Sending<'_>>) {
        let mut tenants: BTreeMap<TenantId, BTreeMap<&Channel, News>> = BTreeMap::new();
        for sending in &all {
            let channels = tenants.entry(sending.event.tenant).or_default();
            for (channel, number) in &sending.given {
                channels.entry(channel).or_default().insert(*number, sending);
            }
        }
        let tenants = tenants.into_iter().filter(|(tenant, channels)| !channels.is_empty() && !self.is_quiet(*tenant));
        let sent: Vec<_> = tenants.map(|(tenant, channels)| self.send_of(tenant, channels)).collect();
        join_all(sent).await;
    }

    async fn send_of(&self, tenant: TenantId, channels: BTreeMap<&Channel, News<'_, '_>>) {
        match tokio::time::timeout(SENDING + PATIENCE, self.send_to_all(tenant, channels)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(tenant.id = %tenant, error = ?error, "events were not sent to all who follow them: {error}");
            }
            Err(_) => {
                self.hush(tenant);
                tracing::warn!(tenant.id = %tenant, "sending took too long; nothing is sent to this tenant for {QUIET:?}");
            }
        }
    }

    async fn send_to_all(&self, tenant: TenantId, channels: BTreeMap<&Channel, News<'_, '_>>) -> Result<()> {
        let until = Instant::now() + SENDING;
        let looks: Vec<_> = channels
            .into_iter()
            .map(|(channel, news)| async move {
                let lacking = self.lacking(tenant, channel, &news).await?;
                Ok::<_, shared::Error>((channel, news, lacking))
            })
            .collect();
        let looked: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut bodies = HashMap::new();
        let mut followers = Vec::new();
        for (channel, news, lacking) in looked {
            if let Some((_, first)) = news.first_key_value().filter(|_| !lacking.is_empty()) {
                let texts = self.texts(channel, &news, &mut bodies)?;
                let lease = first.event.id.to_string();
                followers.extend(lacking.into_iter().map(|follower| (follower, texts.clone(), lease.clone())));
            }
        }
        stream::iter(followers)
            .for_each_concurrent(AT_ONCE, |(follower, texts, lease)| async move {
                let bounds = Bounds { until, most: texts.len() + STRIDE };
                self.send_to(&follower, &texts, &lease, bounds).await;
            })
            .await;
        Ok(())
    }

    /// Who follows a channel and has not got all of its new numbers.
    async fn lacking(&self, tenant: TenantId, channel: &Channel, news: &News<'_, '_>) -> Result<Vec<Subscription>> {
        let last = news.last_key_value().map_or(0, |(number, _)| *number);
        let mut all = self.pump.table.list_all(&key::subscriptions(tenant, channel)).await?;
        let now = Timestamp::now();
        all.retain(|follower| follower.sent < last && !follower.is_resting(now) && !follower.is_over(now));
        Ok(all)
    }

    /// The messages of new numbers. An event's body is written once, whatever channels it stands in.
    fn texts(
        &self,
        channel: &Channel,
        news: &News<'_, '_>,
        bodies: &mut HashMap<EventId, Box<RawValue>>,
    ) -> Result<Arc<InHand>> {
        let texts = news.iter().map(|(number, sending)| {
            let body = match bodies.entry(sending.event.id) {
                std::collections::hash_map::Entry::Occupied(written) => written.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(show(sending.event, &self.pump.stage, sending.booking)?)
                }
            };
            Ok((*number, message(channel, *number, body)?.into()))
        });
        texts.collect()
    }

    async fn send_to(&self, to: &Subscription, texts: &InHand, lease: &str, bounds: Bounds) {
        let pumped = async {
            if self.pump.push(to, texts, lease, bounds).await? == Pumped::Gone {
                leave(&self.pump.table, to.tenant, &to.connection).await?;
                // Of a connection that was removed while it subscribed.
                self.pump.table.delete(key::subscription(to.tenant, &to.channel, &to.connection)).await?;
            }
            Ok::<_, shared::Error>(())
        };
        if let Err(error) = pumped.await {
            let (Subscription { tenant, channel, connection, .. }, event) = (to, lease);
            tracing::warn!(tenant.id = %tenant, %channel, connection, event.id = event, error = ?error, "an event was not sent to one who follows it: {error}");
        }
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
