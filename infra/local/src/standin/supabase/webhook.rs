//! Database webhooks as `pg_net` sends them: after the commit, once, without a retry. And their loss, on order.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use url::Url;

use super::{
    super::{World, held},
    ProjectState,
};

/// How many of the last answers are kept.
const MOST_RESPONSES: usize = 20_000;

/// How many are under way at a time: the batch of `pg_net`.
const BATCH: usize = 200;

/// A trigger that calls a URL after each change of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseHook {
    /// Where to.
    pub url: String,
    /// The headers that its definition holds; a shared secret, for example.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The tables it is on; all if none is named.
    #[serde(default)]
    pub tables: Vec<String>,
    /// `INSERT`, `UPDATE`, `DELETE`; all if none is named.
    #[serde(default)]
    pub events: Vec<String>,
    /// How long it waits for an answer.
    #[serde(default = "five_seconds")]
    pub timeout_ms: u64,
    /// How much later than the change it is sent.
    #[serde(default)]
    pub delay_ms: u64,
}

fn five_seconds() -> u64 {
    5_000
}

impl DatabaseHook {
    /// Tells this URL of every change of every table.
    pub fn to(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: BTreeMap::new(),
            tables: vec![],
            events: vec![],
            timeout_ms: five_seconds(),
            delay_ms: 0,
        }
    }

    /// The same with one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The same on this table, and on those named before.
    pub fn table(mut self, name: &str) -> Self {
        self.tables.push(name.into());
        self
    }

    /// The same for this event, and for those named before.
    pub fn event(mut self, event: &str) -> Self {
        self.events.push(event.into());
        self
    }

    /// The same, this much later.
    pub fn late(mut self, delay_ms: u64) -> Self {
        self.delay_ms = delay_ms;
        self
    }

    fn check(&self) -> Result<(), String> {
        Url::parse(&self.url).map_err(|_| format!("`{}` is not a URL", self.url))?;
        for (name, value) in &self.headers {
            HeaderName::try_from(name).map_err(|_| format!("`{name}` is no header name"))?;
            HeaderValue::try_from(value).map_err(|_| format!("`{name}` has no header value"))?;
        }
        match self.events.iter().find(|event| !["INSERT", "UPDATE", "DELETE"].contains(&event.as_str())) {
            Some(event) => Err(format!("`{event}` is none of INSERT, UPDATE and DELETE")),
            None => Ok(()),
        }
    }

    fn fires(&self, table: &str, event: &str) -> bool {
        let among = |named: &[String], one: &str| named.is_empty() || named.iter().any(|name| name == one);
        among(&self.tables, table) && among(&self.events, event)
    }
}

/// Which webhooks are lost, as they are when the database fails over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// All, until told otherwise.
    All,
    /// So many of the next.
    Next(u32),
    /// A share of them, from 0 to 1: the same ones for the same seed.
    Share {
        /// How many of them.
        share: f64,
        /// Which ones.
        seed: u64,
    },
}

/// How a webhook ended, as in `net._http_response`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetResponse {
    /// Counts up over a project's webhooks, from 1.
    pub id: u64,
    /// What it told of.
    pub table: String,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub operation: String,
    /// What was answered, if anything was.
    pub status_code: Option<u16>,
    /// Whether the answer took too long.
    pub timed_out: bool,
    /// Why there was no answer.
    pub error_msg: Option<String>,
}

/// A request that waits to be sent.
pub(in super::super) struct Outgoing {
    id: u64,
    hook: DatabaseHook,
    table: String,
    operation: String,
    body: String,
    gate: Arc<Semaphore>,
}

/// A project's webhooks and what became of their requests.
pub(super) struct Outbox {
    hooks: Vec<DatabaseHook>,
    loss: Loss,
    rolled: u64,
    sent: u64,
    dropped: u64,
    pending: u64,
    responses: VecDeque<NetResponse>,
    gate: Arc<Semaphore>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            hooks: vec![],
            loss: Loss::None,
            rolled: 0,
            sent: 0,
            dropped: 0,
            pending: 0,
            responses: VecDeque::new(),
            gate: Arc::new(Semaphore::new(BATCH)),
        }
    }
}

impl Outbox {
    pub(super) fn set(&mut self, hooks: Option<Vec<DatabaseHook>>, loss: Option<Loss>) -> Result<(), String> {
        if let Some(Loss::Share { share, .. }) = loss
            && !(0.0..=1.0).contains(&share)
        {
            return Err("`share` is not between 0 and 1".into());
        }
        for hook in hooks.iter().flatten() {
            hook.check()?;
        }
        if let Some(loss) = loss {
            self.loss = loss;
            self.rolled = 0;
        }
        self.hooks = hooks.unwrap_or(std::mem::take(&mut self.hooks));
        Ok(())
    }

    /// The requests that a change makes, and how many of them are lost.
    pub(super) fn fire(&mut self, table: &str, event: &str, body: &str) -> (Vec<Outgoing>, usize) {
        let hooks: Vec<_> = self.hooks.iter().filter(|hook| hook.fires(table, event)).cloned().collect();
        let (mut posts, mut dropped) = (Vec::new(), 0);
        for hook in hooks {
            if self.loses() {
                dropped += 1;
                continue;
            }
            self.sent += 1;
            self.pending += 1;
            let (table, operation, gate) = (table.into(), event.into(), self.gate.clone());
            posts.push(Outgoing { id: self.sent, hook, table, operation, body: body.into(), gate });
        }
        self.dropped += dropped as u64;
        (posts, dropped)
    }

    fn loses(&mut self) -> bool {
        match &mut self.loss {
            Loss::None | Loss::Next(0) => false,
            Loss::All => true,
            Loss::Next(left) => {
                *left -= 1;
                true
            }
            Loss::Share { share, seed } => {
                self.rolled += 1;
                scattered(*seed, self.rolled) < *share
            }
        }
    }

    pub(super) fn note(&mut self, response: NetResponse) {
        self.pending = self.pending.saturating_sub(1);
        self.responses.push_back(response);
        if self.responses.len() > MOST_RESPONSES {
            self.responses.pop_front();
        }
    }

    pub(super) fn report(&self, rows: BTreeMap<String, usize>) -> ProjectState {
        ProjectState {
            rows,
            sent: self.sent,
            dropped: self.dropped,
            pending: self.pending,
            responses: self.responses.iter().cloned().collect(),
        }
    }
}

/// A number from 0 to 1 that the seed and the turn decide (splitmix64).
fn scattered(seed: u64, turn: u64) -> f64 {
    let mut mixed = seed.wrapping_add(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64
}

/// The background worker's client.
pub(in super::super) struct PgNet(reqwest::Client);

impl Default for PgNet {
    fn default() -> Self {
        // What is on this machine is never behind a proxy.
        Self(reqwest::Client::builder().no_proxy().user_agent("pg_net/0.19.5").build().unwrap_or_default())
    }
}

/// Sends a request when its turn comes, and notes how it ended.
pub(in super::super) async fn send(world: Arc<World>, project: String, post: Outgoing) {
    tokio::time::sleep(Duration::from_millis(post.hook.delay_ms)).await;
    let turn = post.gate.clone().acquire_owned().await;
    let mut request = world.pg_net.0.post(&post.hook.url).timeout(Duration::from_millis(post.hook.timeout_ms));
    if !post.hook.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in &post.hook.headers {
        request = request.header(name, value);
    }
    let answer = request.body(post.body).send().await;
    drop(turn);

    let error = answer.as_ref().err();
    let timed_out = error.is_some_and(reqwest::Error::is_timeout);
    let response = NetResponse {
        id: post.id,
        table: post.table,
        operation: post.operation,
        timed_out,
        error_msg: error.map(|error| match timed_out {
            true => format!("Timeout of {} ms reached", post.hook.timeout_ms),
            false => error.to_string(),
        }),
        status_code: answer.ok().map(|answer| answer.status().as_u16()),
    };
    held(&world.vendors).supabase.note(&project, response);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(loss: Loss, turns: usize) -> Vec<bool> {
        let mut outbox = Outbox::default();
        outbox.set(Some(vec![DatabaseHook::to("http://127.0.0.1:1/")]), Some(loss)).unwrap();
        (0..turns).map(|_| outbox.fire("bookings", "INSERT", "{}").1 == 1).collect()
    }

    #[test]
    fn a_count_is_lost_and_then_no_more() {
        assert_eq!(lost(Loss::Next(2), 4), [true, true, false, false]);
        assert_eq!(lost(Loss::All, 2), [true, true]);
    }

    #[test]
    fn a_share_is_lost_at_random_and_the_same_for_the_same_seed() {
        let loss = Loss::Share { share: 0.3, seed: 7 };

        let count = lost(loss, 10_000).iter().filter(|lost| **lost).count();

        assert!((2_850..3_150).contains(&count), "{count}");
        assert_eq!(lost(loss, 100), lost(loss, 100));
        assert_ne!(lost(loss, 100), lost(Loss::Share { share: 0.3, seed: 8 }, 100));
    }

    #[test]
    fn a_hook_fires_on_its_tables_and_events() {
        let hook = DatabaseHook::to("http://127.0.0.1:1/").table("bookings").event("UPDATE");

        assert!(hook.fires("bookings", "UPDATE"));
        assert!(!hook.fires("bookings", "INSERT"));
        assert!(!hook.fires("clients", "UPDATE"));
    }
}
