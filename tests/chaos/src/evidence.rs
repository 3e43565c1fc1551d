//! What the run leaves behind: the rows of its tenant, and what was seen outside.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use shared::{
    delivery::{Attempt, Delivery},
    endpoint::Endpoint,
    id::{DeliveryId, EventId, TenantId},
    key,
    live::{Channel, Entry, LAST},
    table::Table,
};

use crate::{Result, business::Change, receiver::Seen, watcher::Heard};

/// So many ranges are read at the same time.
const AT_ONCE: usize = 6;

/// A change that was answered 202.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// What changed.
    pub change: Change,
    /// The event that it is.
    pub event: EventId,
}

/// All of it.
pub struct Evidence {
    /// How many changes there were.
    pub changes: usize,
    /// Every change that was answered 202.
    pub accepted: Vec<Accepted>,
    /// The tenant's endpoints, as they are at the end.
    pub endpoints: Vec<Endpoint>,
    /// Every delivery.
    pub deliveries: Vec<Delivery>,
    /// The attempts of each.
    pub attempts: HashMap<DeliveryId, Vec<Attempt>>,
    /// Every number of every channel that the changes are about.
    pub channels: BTreeMap<Channel, Vec<Entry>>,
    /// What the receiver saw.
    pub seen: Seen,
    /// What live subscribers heard; nothing where there is no live API.
    pub heard: Option<Heard>,
    /// What the history routes tell, by channel: numbers and events.
    pub histories: BTreeMap<Channel, Vec<(u64, EventId)>>,
}

impl Accepted {
    /// Where its event certainly has a number.
    pub fn channels(&self) -> Vec<Channel> {
        let users = self.change.users.iter().cloned().map(Channel::User);
        let provider = self.change.provider.iter().cloned().map(Channel::Provider);
        [Channel::Booking(self.change.booking.clone()), Channel::Tenant]
            .into_iter()
            .chain(users)
            .chain(provider)
            .collect()
    }
}

/// Every delivery of a tenant.
pub async fn deliveries(table: &Table, tenant: TenantId) -> Result<Vec<Delivery>> {
    Ok(table.list_all(&key::deliveries(tenant)).await?)
}

/// The attempts of each of these.
pub async fn attempts(table: &Table, deliveries: &[Delivery]) -> Result<HashMap<DeliveryId, Vec<Attempt>>> {
    stream::iter(deliveries)
        .map(|delivery| async move {
            Ok((delivery.id, table.list_all(&key::attempts(delivery.tenant, delivery.id)).await?))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// The numbers of every channel that these changes are about.
pub async fn channels(table: &Table, tenant: TenantId, accepted: &[Accepted]) -> Result<BTreeMap<Channel, Vec<Entry>>> {
    let mut wanted: Vec<Channel> = accepted.iter().flat_map(Accepted::channels).collect();
    wanted.sort();
    wanted.dedup();
    stream::iter(wanted)
        .map(|channel| async move {
            let entries = table.list_all(&key::live_entries(tenant, &channel, 1, LAST)).await?;
            Ok((channel, entries))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

impl Evidence {
    /// Milliseconds from accepted to taken by the receiver, of these deliveries.
    pub fn delivered_ms(&self, which: impl Fn(&Delivery) -> bool) -> Vec<f64> {
        self.deliveries
            .iter()
            .filter(|delivery| which(delivery))
            .filter_map(|delivery| {
                let taken = self.seen.by_id.get(&delivery.id.to_string())?.taken_at?;
                Some(ms(delivery.accepted_at, taken))
            })
            .collect()
    }

    /// Milliseconds from accepted to heard by the subscriber of the whole tenant, of these events.
    pub fn heard_ms(&self, which: impl Fn(EventId) -> bool) -> Vec<f64> {
        let accepted_at: HashMap<EventId, Timestamp> =
            self.deliveries.iter().map(|delivery| (delivery.event, delivery.accepted_at)).collect();
        let whole = self.heard.as_ref().and_then(|heard| heard.by_channel.get(&Channel::Tenant));
        let said = whole.into_iter().flatten().filter(|said| which(said.event));
        said.filter_map(|said| Some(ms(*accepted_at.get(&said.event)?, said.at))).collect()
    }
}

fn ms(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1e3
}
