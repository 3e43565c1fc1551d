//! Gives events their numbers in each of their channels: once, by one more than the last, all together.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use shared::{
    Error, Result,
    event::Event,
    id::{EventId, TenantId},
    key,
    live::{Channel, Entry, NotAChannel, Numbered, head},
    table::{Created, Table},
};

use crate::pause;

/// Others number at the same time: tried so often.
const TRIES: u32 = 40;
/// More channels are not remembered.
const REMEMBERED: usize = 10_000;
/// A transaction writes so many rows at most (quota of `TransactWriteItems`).
const TOGETHER: usize = 100;
/// So many rows are read or made at the same time.
const AT_ONCE: usize = 16;

/// The numbers of an event.
pub type Given = BTreeMap<Channel, u64>;

/// What became of an event.
pub struct Outcome {
    /// Its numbers.
    pub given: Given,
    /// Whether it got them now, and had none before.
    pub is_new: bool,
}

impl Outcome {
    fn now(given: Given) -> Self {
        Self { given, is_new: true }
    }

    /// As they stand there since an earlier time.
    fn earlier(numbered: &Numbered) -> Result<Self> {
        Ok(Self { given: given(numbered)?, is_new: false })
    }
}

/// An event, and the channels that it belongs in.
pub struct Place<'e> {
    /// Which.
    pub event: &'e Event,
    /// Where.
    pub channels: Vec<Channel>,
}

impl Place<'_> {
    /// The rows that its numbers are.
    fn rows(&self) -> usize {
        1 + self.channels.len()
    }
}

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

    /// The numbers of events, in the order of the events; those that they have already, where they have any. Some have no
    /// channels: they are noted, too, for a trace finds its events by that.
    pub async fn give(&self, places: &[Place<'_>], now: Timestamp) -> Result<Vec<Outcome>> {
        let (placed, others): (Vec<_>, Vec<_>) = places.iter().partition(|place| !place.channels.is_empty());
        let mut given = self.note(others, now).await?;
        let mut together: Vec<&Place> = Vec::new();
        for place in placed {
            if together.iter().map(|place| place.rows()).sum::<usize>() + place.rows() > TOGETHER {
                given.extend(self.give_together(std::mem::take(&mut together), now).await?);
            }
            together.push(place);
        }
        given.extend(self.give_together(together, now).await?);
        let outcome = |place: &Place| given.remove(&place.event.id).unwrap_or_else(|| Outcome::now(Given::new()));
        Ok(places.iter().map(outcome).collect())
    }

    /// Notes events that have no channels.
    async fn note(&self, places: Vec<&Place<'_>>, now: Timestamp) -> Result<HashMap<EventId, Outcome>> {
        let noted = places.into_iter().map(|place| async move {
            let outcome = match self.table.create(&numbered(place.event, &Given::new(), now)).await? {
                Created::New => Outcome::now(Given::new()),
                Created::Was(earlier) => Outcome::earlier(&earlier)?,
            };
            Ok((place.event.id, outcome))
        });
        at_once(noted.collect()).await
    }

    /// Numbers for all of these or for none, until all have theirs.
    async fn give_together(&self, mut left: Vec<&Place<'_>>, now: Timestamp) -> Result<HashMap<EventId, Outcome>> {
        let mut all = HashMap::new();
        let mut last = Error::unavailable("table", "others number all the time");
        for attempt in 0..TRIES {
            if left.is_empty() {
                return Ok(all);
            }
            let next = self.next(&left).await?;
            match self.write(&left, &next, now).await {
                Ok(true) => {
                    for (place, given) in left.drain(..).zip(next) {
                        self.remember(place.event.tenant, &given);
                        all.insert(place.event.id, Outcome::now(given));
                    }
                    return Ok(all);
                }
                // Two writes met, or the answer was lost: what is stored tells.
                Err(error) if error.is_transient() => last = error,
                Err(error) => return Err(error),
                Ok(false) => {}
            }
            self.forget(&left);
            let keys: Vec<_> = left.iter().map(|place| key_of(place.event)).collect();
            for earlier in self.table.find_all(&keys).await? {
                left.retain(|place| place.event.id != earlier.event);
                all.insert(earlier.event, Outcome::earlier(&earlier)?);
            }
            pause(attempt).await;
        }
        if left.is_empty() { Ok(all) } else { Err(last) }
    }

    /// The numbers that come next.
    async fn next(&self, places: &[&Place<'_>]) -> Result<Vec<Given>> {
        let mut heads = HashMap::new();
        for place in places {
            for channel in &place.channels {
                let of = (place.event.tenant, channel.clone());
                let remembered = self.remembered(&of);
                heads.entry(of).or_insert(remembered);
            }
        }
        let unknown: Vec<_> = heads.iter().filter(|(_, head)| head.is_none()).map(|(of, _)| of.clone()).collect();
        let read = unknown.into_iter().map(|of| async move {
            let head = head(&self.table, of.0, &of.1).await?;
            Ok((of, Some(head)))
        });
        heads.extend(at_once::<HashMap<_, _>, _, _>(read.collect()).await?);
        let mut number = |tenant: TenantId, channel: &Channel| {
            let head = heads.entry((tenant, channel.clone())).or_default().get_or_insert_default();
            *head += 1;
            (channel.clone(), *head)
        };
        let numbers = places
            .iter()
            .map(|place| place.channels.iter().map(|channel| number(place.event.tenant, channel)).collect());
        Ok(numbers.collect())
    }

    async fn write(&self, places: &[&Place<'_>], given: &[Given], now: Timestamp) -> Result<bool> {
        let mut writes = self.table.transact();
        for (Place { event, .. }, given) in places.iter().zip(given) {
            writes = writes.create(&numbered(event, given, now));
            for (channel, number) in given {
                let (tenant, channel, number) = (event.tenant, channel.clone(), *number);
                writes = writes.create(&Entry { tenant, channel, number, event: event.id, at: now });
            }
        }
        writes.send().await
    }

    fn remembered(&self, of: &(TenantId, Channel)) -> Option<u64> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).get(of).copied()
    }

    fn remember(&self, tenant: TenantId, given: &Given) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() + given.len() > REMEMBERED {
            heads.clear();
        }
        heads.extend(given.iter().map(|(channel, number)| ((tenant, channel.clone()), *number)));
    }

    fn forget(&self, places: &[&Place<'_>]) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        for place in places {
            for channel in &place.channels {
                heads.remove(&(place.event.tenant, channel.clone()));
            }
        }
    }
}

/// What all of these come to, some of them at the same time.
async fn at_once<C, F, T>(all: Vec<F>) -> Result<C>
where
    C: Default + Extend<T>,
    F: Future<Output = Result<T>>,
{
    stream::iter(all).buffer_unordered(AT_ONCE).try_collect().await
}

fn key_of(event: &Event) -> key::Key<Numbered> {
    key::numbered(event.tenant, event.trace, event.id)
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
    numbers.collect::<Result<_, NotAChannel>>().map_err(|cause| Error::internal("a stored channel", cause))
}
