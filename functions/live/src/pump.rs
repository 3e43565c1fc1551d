//! Sends a subscription what it lacks, in order, by one process at a time.
//!
//! ```text
//! lease it ──► send what is above `sent` ──► let go, unless more is `wanted`
//!    │ another holds it                            │ more is
//!    └──► leave the number that is wanted          └──► send on
//! ```
//!
//! Whoever numbers an event leaves its number or sends it, and whoever holds the lease lets go only where nothing is left:
//! so a number is never passed over. A process that is killed between sending and noting it sends some numbers twice;
//! its lease ends by itself, and the next event or ping goes on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::{
    Result, key,
    listener::Subscription,
    live::{Channel, LAST},
    socket::{Reached, Sockets},
    table::{Page, Table},
};

use crate::{shown, told::Told};

/// A lease lasts so long, unless it is renewed.
pub const LEASE: Duration = Duration::from_secs(5);
/// It is renewed when so much of it is over.
const RENEW: Duration = Duration::from_millis(1_500);
/// A connection that took nothing in time is left alone for so long, but for its client's own messages.
const REST: Duration = Duration::from_secs(15);
/// So many numbers are read at a time.
const PAGE: u16 = 25;
/// Who waits for its own lease to end looks so often.
const STEP: Duration = Duration::from_millis(200);

/// What sending needs. The table has to be a consistent one.
#[derive(Clone)]
pub struct Pump {
    /// The table.
    pub table: Table,
    /// The connections.
    pub sockets: Sockets,
    /// Where this runs, as receivers are told.
    pub stage: String,
}

/// How much one run may do.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// It stops then.
    pub until: Instant,
    /// And after so many messages.
    pub most: usize,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pumped {
    /// Nothing is left to send.
    Level,
    /// Something is left, for lack of time.
    Behind,
    /// Something is left: the connection takes nothing at the moment.
    Stuck,
    /// Another one sends, or there is nothing to send to any longer.
    Elsewhere,
    /// The connection has ended.
    Gone,
}

/// Numbers of one channel with their messages, in order.
pub type InHand = [(u64, Arc<str>)];

impl Pump {
    /// Sends numbers, and whatever lacks before them, to a follower of their channel; or leaves them to whoever sends there
    /// now. `lease` names this piece of work: done once more after it was killed, it waits for its own lease to end.
    pub async fn push(&self, to: &Subscription, in_hand: &InHand, lease: &str, bounds: Bounds) -> Result<Pumped> {
        let Some(&(number, _)) = in_hand.last() else { return Ok(Pumped::Level) };
        let begun = Instant::now();
        while begun.elapsed() < LEASE + STEP && !to.is_over(Timestamp::now()) {
            if let Some(held) = self.take(to, lease).await? {
                return self.run(held, in_hand, bounds).await;
            }
            let Some(now) = self.table.find_now(of(to)).await? else { return Ok(Pumped::Elsewhere) };
            if now.sent >= number {
                return Ok(Pumped::Level);
            }
            if now.lease.as_deref() == Some(lease) {
                tokio::time::sleep(STEP).await;
            } else if now.wanted >= number && now.leased_until.is_some() || self.want(to, number).await? {
                return Ok(Pumped::Elsewhere);
            }
        }
        Ok(Pumped::Stuck)
    }

    /// Sends whatever lacks, also where the connection was left alone: its client has just said something.
    pub async fn catch_up(&self, to: &Subscription, lease: &str, bounds: Bounds) -> Result<Pumped> {
        let held = match self.take(to, lease).await? {
            Some(held) => Some(held),
            None => self.leased(to, lease).when("rests", true).send().await?,
        };
        match held {
            Some(held) => self.run(held, &[], bounds).await,
            None => Ok(Pumped::Elsewhere),
        }
    }

    /// Sends to a subscription whose lease is held, and lets go of it.
    pub async fn run(&self, held: Subscription, in_hand: &InHand, bounds: Bounds) -> Result<Pumped> {
        let last = in_hand.last().map_or(0, |(number, _)| *number);
        let mut turn = Turn { pump: self, sent: held.sent, held, noted: Instant::now(), done: 0 };
        let mut next = turn.of_hand(in_hand);
        loop {
            let (messages, more) = match next.is_empty() {
                true => turn.read(bounds.most).await?,
                false => (std::mem::take(&mut next), false),
            };
            let found = !messages.is_empty();
            for (number, text) in messages {
                if turn.held.is_over(Timestamp::now()) {
                    return turn.let_go(Pumped::Elsewhere).await;
                }
                if turn.done >= bounds.most || Instant::now() >= bounds.until {
                    return turn.let_go(Pumped::Behind).await;
                }
                match self.sockets.post(&turn.held.connection, &text).await {
                    Ok(Reached::There) => turn.sent = number,
                    Ok(Reached::Gone) => return Ok(Pumped::Gone),
                    Err(error) => {
                        let Subscription { tenant, channel, connection, .. } = &turn.held;
                        tracing::info!(tenant.id = %tenant, %channel, connection, number, error = ?error, "a connection takes nothing at the moment");
                        return turn.rest().await;
                    }
                }
                turn.done += 1;
                if turn.noted.elapsed() >= RENEW && !turn.renew().await? {
                    return Ok(Pumped::Elsewhere);
                }
            }
            if found && (more || turn.sent < last) {
                continue;
            }
            match turn.finish().await? {
                Finished::Yes => return Ok(Pumped::Level),
                Finished::Lost => return Ok(Pumped::Elsewhere),
                // What is wanted is there to be read, or has been sent.
                Finished::MoreIsWanted if !found => return turn.let_go(Pumped::Level).await,
                Finished::MoreIsWanted => {}
            }
        }
    }

    async fn take(&self, to: &Subscription, lease: &str) -> Result<Option<Subscription>> {
        let now = Timestamp::now().as_millisecond();
        self.leased(to, lease).when_there().when_at_most_or_missing("leased_until", now).send().await
    }

    fn leased(&self, to: &Subscription, lease: &str) -> shared::table::Change<'_, Subscription> {
        self.table.change(of(to)).set("lease", lease).set("leased_until", lease_end(LEASE)).remove("rests")
    }

    /// Leaves a number to whoever holds the lease. `false` where nobody does any longer.
    async fn want(&self, to: &Subscription, number: u64) -> Result<bool> {
        let change = self.table.change::<Subscription>(of(to)).set("wanted", number);
        Ok(change.when_below("wanted", number).when_at_least("leased_until", 0).send().await?.is_some())
    }
}

/// When a lease taken now ends, in milliseconds since 1970.
pub fn lease_end(lasts: Duration) -> i64 {
    Timestamp::now().as_millisecond() + i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX)
}

fn of(subscription: &Subscription) -> key::Key<Subscription> {
    key::subscription(subscription.tenant, &subscription.channel, &subscription.connection)
}

/// The message of one number.
pub fn message(channel: &Channel, number: u64, event: &RawValue) -> Result<String> {
    Told::Event { channel, number, event }.text()
}

/// A lease that is held, and what has been done with it.
struct Turn<'p> {
    pump: &'p Pump,
    held: Subscription,
    sent: u64,
    noted: Instant,
    done: usize,
}

enum Finished {
    Yes,
    MoreIsWanted,
    Lost,
}

impl Turn<'_> {
    /// What is in hand behind the last number that was sent, as far as no number lacks in between.
    fn of_hand(&self, in_hand: &InHand) -> Vec<(u64, Arc<str>)> {
        let lacking = in_hand.iter().skip_while(|(number, _)| *number <= self.sent);
        let next = self.sent + 1..;
        lacking.zip(next).take_while(|((number, _), next)| number == next).map(|(message, _)| message.clone()).collect()
    }

    /// The next messages, and whether there may be more behind them.
    async fn read(&self, most: usize) -> Result<(Vec<(u64, Arc<str>)>, bool)> {
        let (table, channel) = (&self.pump.table, &self.held.channel);
        let next = key::live_entries(self.held.tenant, channel, self.sent + 1, LAST);
        let page = PAGE.min(u16::try_from(most).unwrap_or(PAGE)).max(1);
        let entries = table.list(&next, Page::first(page)).await?.rows;
        let shown = shown::read(table, &self.pump.stage, &entries).await?;
        let messages =
            shown.iter().map(|shown| Ok((shown.number, message(channel, shown.number, &shown.event)?.into())));
        Ok((messages.collect::<Result<_>>()?, entries.len() == usize::from(page)))
    }

    fn mine(&self) -> shared::table::Change<'_, Subscription> {
        let change = self.pump.table.change(of(&self.held)).set("sent", self.sent);
        change.when("lease", &self.held.lease)
    }

    /// Lets go, where nothing more is wanted.
    async fn finish(&mut self) -> Result<Finished> {
        let level = self.mine().remove("lease").remove("leased_until").when_at_most_or_missing("wanted", self.sent);
        if level.send().await?.is_some() {
            return Ok(Finished::Yes);
        }
        match self.renew().await? {
            true => Ok(Finished::MoreIsWanted),
            false => Ok(Finished::Lost),
        }
    }

    /// Lets go whatever is wanted.
    async fn let_go(self, ended: Pumped) -> Result<Pumped> {
        self.mine().remove("lease").remove("leased_until").send().await?;
        Ok(ended)
    }

    /// Lets go, and has the connection left alone for a while.
    async fn rest(self) -> Result<Pumped> {
        self.mine().remove("lease").set("rests", true).set("leased_until", lease_end(REST)).send().await?;
        Ok(Pumped::Stuck)
    }

    /// Notes how far it is, and holds on. `false` where somebody else holds it by now.
    async fn renew(&mut self) -> Result<bool> {
        self.noted = Instant::now();
        Ok(self.mine().set("leased_until", lease_end(LEASE)).send().await?.is_some())
    }
}
