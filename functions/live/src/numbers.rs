//! Gives an event its number in each of its channels: once, by one more than the last, all together.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use futures::future::try_join_all;
use jiff::Timestamp;
use shared::{
    Error, Result,
    event::Event,
    id::TenantId,
    key,
    live::{Channel, Entry, Numbered, head},
    table::{Created, Table},
};

use crate::pause;

/// Others number at the same time: tried so often.
const TRIES: u32 = 40;
/// More channels are not remembered.
const REMEMBERED: usize = 10_000;

/// The numbers of an event.
pub type Given = BTreeMap<Channel, u64>;

/// Gives numbers. Remembers the last of each channel that it met: where that is wrong the write fails, and it is read.
pub struct Numbers {
    table: Table,
    heads: Mutex<HashMap<(TenantId, Channel), u64>>,
}

impl Numbers {
    /// In that table, which has to be a consistent one.
    pub fn new(table: Table) -> Self {
        Self { table, heads: Mutex::default() }
    }

    /// The numbers of an event in these channels; those that it has already, where it has any. An event without channels
    /// is noted, too: a trace finds its events by that.
    pub async fn give(&self, event: &Event, channels: &[Channel], now: Timestamp) -> Result<Given> {
        if channels.is_empty() {
            return match self.table.create(&numbered(event, &Given::new(), now)).await? {
                Created::New => Ok(Given::new()),
                Created::Was(earlier) => given(&earlier),
            };
        }
        let mut last = Error::unavailable("table", "others number all the time");
        for attempt in 0..TRIES {
            let given = self.next(event.tenant, channels).await?;
            match self.write(event, &given, now).await {
                Ok(true) => {
                    self.remember(event.tenant, &given);
                    return Ok(given);
                }
                Ok(false) => {
                    self.forget(event.tenant, channels);
                    let key = key::numbered(event.tenant, event.trace, event.id);
                    if let Some(earlier) = self.table.find_now(key).await? {
                        return self::given(&earlier);
                    }
                }
                // Two writes met, or the answer was lost: what is stored tells.
                Err(error) if error.is_transient() => {
                    self.forget(event.tenant, channels);
                    last = error;
                }
                Err(error) => return Err(error),
            }
            pause(attempt).await;
        }
        Err(last)
    }

    async fn next(&self, tenant: TenantId, channels: &[Channel]) -> Result<Given> {
        let numbers = channels.iter().map(|channel| async move {
            let head = match self.remembered(tenant, channel) {
                Some(head) => head,
                None => head(&self.table, tenant, channel).await?,
            };
            Ok::<_, Error>((channel.clone(), head + 1))
        });
        Ok(try_join_all(numbers).await?.into_iter().collect())
    }

    async fn write(&self, event: &Event, given: &Given, now: Timestamp) -> Result<bool> {
        let first = self.table.transact().create(&numbered(event, given, now));
        let all = given.iter().fold(first, |writes, (channel, number)| {
            writes.create(&Entry {
                tenant: event.tenant,
                channel: channel.clone(),
                number: *number,
                event: event.id,
                at: now,
            })
        });
        all.send().await
    }

    fn remembered(&self, tenant: TenantId, channel: &Channel) -> Option<u64> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).get(&(tenant, channel.clone())).copied()
    }

    fn remember(&self, tenant: TenantId, given: &Given) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() + given.len() > REMEMBERED {
            heads.clear();
        }
        heads.extend(given.iter().map(|(channel, number)| ((tenant, channel.clone()), *number)));
    }

    fn forget(&self, tenant: TenantId, channels: &[Channel]) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        for channel in channels {
            heads.remove(&(tenant, channel.clone()));
        }
    }
}

fn numbered(event: &Event, given: &Given, now: Timestamp) -> Numbered {
    Numbered {
        tenant: event.tenant,
        trace: event.trace,
        event: event.id,
        numbers: given.iter().map(|(channel, number)| (channel.to_string(), *number)).collect(),
        at: now,
    }
}

fn given(numbered: &Numbered) -> Result<Given> {
    let numbers = numbered.numbers.iter().map(|(channel, number)| Ok((channel.parse()?, *number)));
    numbers
        .collect::<std::result::Result<_, shared::live::NotAChannel>>()
        .map_err(|cause| Error::internal("a stored channel", cause))
}
