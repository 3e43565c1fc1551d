//! Rate limits: a token bucket for each caller, leased from the table in blocks.
//!
//! The bucket is one row that holds the moment at which it will be full again (the generic cell rate algorithm).
//! A process takes a block of tokens with one conditional write and spends them from memory, so that a request
//! costs a fraction of a write. What a process has not spent when it ends is lost to the caller: at most one block.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    http::Call,
    id::TenantId,
    key::{self, Key},
    table::{Row, Table},
};

/// How fast one caller may call, and what happens when the table cannot be asked.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// So many calls at once, and again after `period_ms`.
    pub burst: u32,
    /// The time in which an empty bucket fills.
    pub period_ms: i64,
    /// Let calls pass while the table is down: for routes where a lost call is worse than one too many.
    pub fails_open: bool,
}

impl Rate {
    /// People and back ends: 600 a minute.
    pub const CALLS: Self = Self { burst: 600, period_ms: 60_000, fails_open: false };
    /// Webhooks: 3,000 a minute; an event is worth more than the limit.
    pub const EVENTS: Self = Self { burst: 3_000, period_ms: 60_000, fails_open: true };
    /// What comes in batches: 12,000 elements a minute, each of which counts (see [`crate::gate::Gate::batch`]).
    pub const BATCHES: Self = Self { burst: 12_000, period_ms: 60_000, fails_open: true };

    /// What a Make.com webhook takes: 300 in any 10 seconds (help.make.com, webhooks), as a burst of half of them and
    /// the other half spread over the time.
    pub const MAKE: Self = Self { burst: 150, period_ms: 10_000, fails_open: false };

    /// All e-mail of a tenant: 120 at once, then two a minute.
    pub const MAIL: Self = Self { burst: 120, period_ms: 3_600_000, fails_open: false };

    /// The same at so many percent of its pace, 1 to 100.
    pub fn slowed(self, percent: u8) -> Self {
        let percent = u32::from(percent.clamp(1, 100));
        Self { burst: (self.burst * percent / 100).max(1), ..self }
    }

    fn block(self) -> u32 {
        (self.burst / 20).max(1)
    }

    fn cost_ms(self, tokens: u32) -> i64 {
        i64::from(tokens) * self.period_ms / i64::from(self.burst)
    }
}

/// A caller's bucket.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bucket {
    tenant: TenantId,
    who: String,
    /// When it is full again, in milliseconds since 1970.
    full_at: i64,
}

impl Row for Bucket {
    const KIND: &'static str = "limit";

    fn key(&self) -> Key<Self> {
        key::limit(self.tenant, &self.who)
    }
}

/// What a caller is told of its limit.
#[derive(Debug)]
pub(crate) struct Standing {
    rate: Rate,
    remaining: AtomicU32,
    reset_s: AtomicI64,
}

impl Standing {
    fn new(rate: Rate, remaining: u32, reset_s: i64) -> Self {
        Self { rate, remaining: remaining.into(), reset_s: reset_s.into() }
    }

    /// So many tokens fewer, of which so many came out of the bucket now.
    fn spend(&self, tokens: u32, drawn: u32) {
        let left = self.remaining.load(Ordering::Relaxed).saturating_sub(tokens);
        self.remaining.store(left, Ordering::Relaxed);
        self.reset_s.fetch_add(seconds(self.rate.cost_ms(drawn)), Ordering::Relaxed);
    }

    /// The header fields of the IETF's draft on rate limits (`draft-ietf-httpapi-ratelimit-headers`).
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let mut put = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        let (remaining, reset_s) = (self.remaining.load(Ordering::Relaxed), self.reset_s.load(Ordering::Relaxed));
        put("ratelimit-policy", format!("\"calls\";q={};w={}", self.rate.burst, self.rate.period_ms / 1000));
        put("ratelimit", format!("\"calls\";r={remaining};t={reset_s}"));
    }
}

/// What came of asking for one token.
pub enum Drawn {
    /// Go on.
    Token {
        /// What this process holds besides.
        left: u32,
        /// When the bucket is full again, in milliseconds since 1970.
        full_at: i64,
    },
    /// The table could not be asked, and this limit fails open.
    Unknown,
    /// Wait for so many milliseconds.
    Wait(i64),
}

impl Drawn {
    /// Goes on, or says how long to wait.
    ///
    /// # Errors
    /// [`Error::TooMany`], with the seconds to wait rounded up.
    pub fn passed(self) -> Result<()> {
        match self {
            Self::Token { .. } | Self::Unknown => Ok(()),
            Self::Wait(ms) => Err(Error::TooMany { retry_after: seconds(ms).unsigned_abs() }),
        }
    }
}

struct Lease {
    left: u32,
    full_at: i64,
    /// The burst of the rate that it was taken at.
    burst: u32,
}

/// The limits of every caller that this process has met.
#[derive(Clone, Default)]
pub struct Limits {
    leases: Arc<Mutex<HashMap<String, Lease>>>,
}

/// What came of asking the table for tokens.
enum Leased {
    /// Go on; the bucket is full again at this moment (ms since 1970).
    Granted(i64),
    /// Wait for so many milliseconds.
    Wait(i64),
}

impl Limits {
    /// Lets one call of this caller pass, or says how long to wait.
    pub(crate) async fn pass(&self, table: &Table, call: &Call, tenant: TenantId, who: &str, rate: Rate) -> Result<()> {
        let now = call.now.as_millisecond();
        let (left, full_at) = match self.draw(table, tenant, who, rate, now).await? {
            Drawn::Token { left, full_at } => (left, full_at),
            Drawn::Unknown => return Ok(()),
            Drawn::Wait(wait) => {
                call.stand(Standing::new(rate, 0, seconds(wait)));
                return Drawn::Wait(wait).passed();
            }
        };
        let wait = (full_at - now).max(0);
        let remaining = left + ((rate.period_ms - wait).max(0) * i64::from(rate.burst) / rate.period_ms) as u32;
        call.stand(Standing::new(rate, remaining.min(rate.burst), seconds(wait)));
        Ok(())
    }

    /// Lets a call that has passed bring so many more elements, all or none: with one write, or from memory.
    pub(crate) async fn charge(
        &self,
        table: &Table,
        call: &Call,
        tenant: TenantId,
        who: &str,
        rate: Rate,
        more: u32,
    ) -> Result<()> {
        let slot = format!("{tenant}/{who}");
        let held = self.spend_up_to(&slot, more);
        let short = more - held;
        let refused = match short {
            0 => None,
            short => match take(table, tenant, who, rate, short, call.now.as_millisecond()).await {
                Ok(Leased::Granted(_)) => None,
                Ok(Leased::Wait(ms)) => Some(Error::TooMany { retry_after: seconds(ms).unsigned_abs() }),
                Err(error) if rate.fails_open => {
                    tracing::warn!(error = ?error, "the limit could not be asked, the batch passes");
                    None
                }
                Err(error) => Some(error),
            },
        };
        match refused {
            None => {
                if let Some(standing) = call.standing().get() {
                    standing.spend(more, short);
                }
                Ok(())
            }
            Some(error) => {
                self.give_back(&slot, held);
                Err(error)
            }
        }
    }

    /// One token for somebody, or how long to wait for it.
    pub async fn draw(&self, table: &Table, tenant: TenantId, who: &str, rate: Rate, now: i64) -> Result<Drawn> {
        let slot = format!("{tenant}/{who}");
        if let Some((left, full_at)) = self.spend(&slot, rate) {
            return Ok(Drawn::Token { left, full_at });
        }
        match self.lease(table, tenant, who, rate, now).await {
            Ok(Ok((granted, full_at))) => {
                self.keep(slot, Lease { left: granted - 1, full_at, burst: rate.burst });
                Ok(Drawn::Token { left: granted - 1, full_at })
            }
            Ok(Err(wait)) => Ok(Drawn::Wait(wait)),
            Err(error) if rate.fails_open => {
                tracing::warn!(error = ?error, "the limit could not be asked, the call passes");
                Ok(Drawn::Unknown)
            }
            Err(error) => Err(error),
        }
    }

    /// Whoever has been slowed down does not spend what was taken at the faster rate.
    fn spend(&self, slot: &str, rate: Rate) -> Option<(u32, i64)> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = leases.get_mut(slot).filter(|lease| lease.left > 0 && lease.burst <= rate.burst)?;
        lease.left -= 1;
        Some((lease.left, lease.full_at))
    }

    fn spend_up_to(&self, slot: &str, most: u32) -> u32 {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lease) = leases.get_mut(slot) else { return 0 };
        let held = lease.left.min(most);
        lease.left -= held;
        held
    }

    fn give_back(&self, slot: &str, tokens: u32) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lease) = leases.get_mut(slot) {
            lease.left += tokens;
        }
    }

    fn keep(&self, slot: String, lease: Lease) {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        if leases.len() > 10_000 {
            leases.clear();
        }
        leases.insert(slot, lease);
    }

    /// A whole block, or a single token where the bucket has no block left.
    async fn lease(
        &self,
        table: &Table,
        tenant: TenantId,
        who: &str,
        rate: Rate,
        now: i64,
    ) -> Result<Result<(u32, i64), i64>> {
        let block = rate.block();
        let short_ms = match take(table, tenant, who, rate, block, now).await? {
            Leased::Granted(full_at) => return Ok(Ok((block, full_at))),
            Leased::Wait(ms) => ms,
        };
        // What is there is less than a block. An empty bucket is not asked again: many wait for it at once.
        let wait = short_ms - rate.cost_ms(block) + rate.cost_ms(1);
        if wait > 0 {
            return Ok(Err(wait));
        }
        match take(table, tenant, who, rate, 1, now).await? {
            Leased::Granted(full_at) => Ok(Ok((1, full_at))),
            Leased::Wait(ms) => Ok(Err(ms)),
        }
    }
}

/// A bucket that nobody has drawn from for an hour is full, and may be forgotten.
fn forgotten(now: i64) -> Timestamp {
    Timestamp::from_millisecond(now).unwrap_or_default() + SignedDuration::from_hours(1)
}

/// A bucket that was full fills up by whoever comes first: the others look again so many times.
const TRIES: u32 = 3;

/// Takes tokens out of a bucket, or says when there will be enough. One write, or two where the bucket was full.
async fn take(table: &Table, tenant: TenantId, who: &str, rate: Rate, tokens: u32, now: i64) -> Result<Leased> {
    let mut short = 1;
    for _ in 0..TRIES {
        match take_once(table, tenant, who, rate, tokens, now).await? {
            Leased::Wait(ms) if ms <= 0 => {}
            Leased::Wait(ms) => {
                short = ms;
                break;
            }
            granted => return Ok(granted),
        }
    }
    Ok(Leased::Wait(short))
}

/// Waits for nothing, or less, where there was enough after all.
async fn take_once(table: &Table, tenant: TenantId, who: &str, rate: Rate, tokens: u32, now: i64) -> Result<Leased> {
    let cost = rate.cost_ms(tokens);
    let bucket = || key::limit(tenant, who);
    let drawn = table
        .change(bucket())
        .add("full_at", cost)
        .expires(forgotten(now))
        .when_at_least("full_at", now)
        .when_below("full_at", now + rate.period_ms - cost + 1)
        .send()
        .await?;
    if let Some(bucket) = drawn {
        return Ok(Leased::Granted(bucket.full_at));
    }
    let filled = table
        .change(bucket())
        .set("tenant", tenant)
        .set("who", who)
        .set("full_at", now + cost)
        .or_new()
        .expires(forgotten(now))
        .when_at_most_or_missing("full_at", now)
        .send()
        .await?;
    if let Some(bucket) = filled {
        return Ok(Leased::Granted(bucket.full_at));
    }
    let full_at = table.find_now(bucket()).await?.map_or(now, |bucket: Bucket| bucket.full_at);
    Ok(Leased::Wait(full_at + cost - now - rate.period_ms))
}

fn seconds(ms: i64) -> i64 {
    (ms + 999) / 1000
}
