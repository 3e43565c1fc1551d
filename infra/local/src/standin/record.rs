//! The record of all that was received, in order and bounded.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use data_encoding::BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{call::Call, held, path::PathPattern};

const MOST_REQUESTS: usize = 20_000;
const MOST_BYTES: usize = 256 << 20;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not yet: it is being delayed.
    Pending,
    /// With this status.
    Answered(u16),
    /// The connection was closed without an answer.
    Cut,
    /// The caller went away before the answer.
    CallerLeft,
}

/// One request that the stand-in received.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recorded {
    /// Counts up over all requests, from 1.
    pub seq: u64,
    /// When it was there with its whole body.
    #[serde(serialize_with = "to_the_millisecond")]
    pub received_at: Timestamp,
    /// `POST` and so on.
    pub method: String,
    /// The path, vendor's host included, as it came.
    pub path: String,
    /// The query without its question mark, as it came.
    pub query: String,
    /// Names in lower case; values of a name that came several times are joined by a comma.
    pub headers: BTreeMap<String, String>,
    /// The raw bytes.
    pub body_base64: String,
    /// The same as text, if it is UTF-8.
    pub body: Option<String>,
    /// The status that was sent, if one was.
    pub answered: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Recorded {
    /// The value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(&name.to_ascii_lowercase()).map(String::as_str)
    }

    /// The body's raw bytes.
    pub fn bytes(&self) -> Vec<u8> {
        BASE64.decode(self.body_base64.as_bytes()).unwrap_or_default()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes()).unwrap_or_default()
    }
}

/// Which requests are asked for.
pub(super) struct Wanted {
    pub(super) path: PathPattern,
    /// Only those with a greater number.
    pub(super) after: u64,
    /// Only those received at this time or later.
    pub(super) since: Option<Timestamp>,
}

/// What was found, and what the bound has dropped.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) requests: Vec<Recorded>,
    /// How many of all requests were dropped because the record was full.
    pub(super) dropped: u64,
    /// The bound on their number.
    pub(super) keeps_at_most: usize,
    /// The number of the last request of all; good for `since`.
    pub(super) last_seq: u64,
}

#[derive(Clone)]
pub(super) struct Log {
    kept: Arc<Mutex<Kept>>,
    arrived: Arc<watch::Sender<()>>,
    most_requests: usize,
    most_bytes: usize,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<Entry>,
    last_seq: u64,
    dropped: u64,
    bytes: usize,
}

struct Entry {
    seq: u64,
    received_at: Timestamp,
    call: Call,
    outcome: Outcome,
}

/// A request whose end is not known yet. Dropped unclosed, it means that the caller has left.
pub(super) struct OpenEntry {
    log: Log,
    seq: u64,
    ended: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self::bounded(MOST_REQUESTS, MOST_BYTES)
    }
}

impl Log {
    fn bounded(most_requests: usize, most_bytes: usize) -> Self {
        Self { kept: Arc::default(), arrived: Arc::new(watch::Sender::new(())), most_requests, most_bytes }
    }

    /// Notes a request that has just been read.
    pub(super) fn open(&self, call: &Call) -> OpenEntry {
        let mut kept = held(&self.kept);
        kept.last_seq += 1;
        let seq = kept.last_seq;
        kept.bytes += call.body.len();
        kept.entries.push_back(Entry {
            seq,
            received_at: Timestamp::now(),
            call: call.clone(),
            outcome: Outcome::Pending,
        });
        while kept.entries.len() > self.most_requests || (kept.bytes > self.most_bytes && kept.entries.len() > 1) {
            let oldest = kept.entries.pop_front();
            kept.bytes -= oldest.map_or(0, |oldest| oldest.call.body.len());
            kept.dropped += 1;
        }
        drop(kept);
        self.arrived.send_replace(());
        OpenEntry { log: self.clone(), seq, ended: false }
    }

    pub(super) fn find(&self, wanted: &Wanted) -> Found {
        let kept = held(&self.kept);
        Found {
            requests: kept.after(wanted.after).filter(|entry| wanted.has(entry)).map(Entry::recorded).collect(),
            dropped: kept.dropped,
            keeps_at_most: self.most_requests,
            last_seq: kept.last_seq,
        }
    }

    /// Holds until that many requests are there, or the time is over.
    pub(super) async fn wait(&self, wanted: &Wanted, at_least: usize, longest: Duration) -> Found {
        let deadline = Instant::now() + longest;
        let mut arrived = self.arrived.subscribe();
        let (mut seen, mut found) = (wanted.after, 0);
        loop {
            arrived.mark_unchanged();
            {
                let kept = held(&self.kept);
                found += kept.after(seen).filter(|entry| wanted.has(entry)).count();
                seen = seen.max(kept.last_seq);
            }
            if found >= at_least || timeout_at(deadline, arrived.changed()).await.is_err() {
                return self.find(wanted);
            }
        }
    }

    /// Forgets the requests of a path. Numbers go on where they were.
    pub(super) fn forget(&self, path: &PathPattern) {
        let mut kept = held(&self.kept);
        kept.entries.retain(|entry| !path.matches(&entry.call.whole_path));
        kept.bytes = kept.entries.iter().map(|entry| entry.call.body.len()).sum();
        if kept.entries.is_empty() {
            kept.dropped = 0;
        }
    }

    fn close(&self, seq: u64, outcome: Outcome) {
        let mut kept = held(&self.kept);
        if let Ok(index) = kept.entries.binary_search_by_key(&seq, |entry| entry.seq) {
            kept.entries[index].outcome = outcome;
        }
    }
}

impl Kept {
    fn after(&self, seq: u64) -> impl Iterator<Item = &Entry> {
        let start = self.entries.partition_point(|entry| entry.seq <= seq);
        self.entries.range(start..)
    }
}

impl Wanted {
    fn has(&self, entry: &Entry) -> bool {
        self.path.matches(&entry.call.whole_path) && self.since.is_none_or(|since| entry.received_at >= since)
    }
}

impl OpenEntry {
    pub(super) fn close(mut self, outcome: Outcome) {
        self.ended = true;
        self.log.close(self.seq, outcome);
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        if !self.ended {
            self.log.close(self.seq, Outcome::CallerLeft);
        }
    }
}

impl Entry {
    fn recorded(&self) -> Recorded {
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in &self.call.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            headers
                .entry(name.as_str().into())
                .and_modify(|joined| {
                    joined.push_str(", ");
                    joined.push_str(&value);
                })
                .or_insert_with(|| value.into());
        }
        Recorded {
            seq: self.seq,
            received_at: self.received_at,
            method: self.call.method.to_string(),
            path: self.call.whole_path.clone(),
            query: self.call.raw_query.clone(),
            headers,
            body_base64: BASE64.encode(&self.call.body),
            body: utf8(&self.call.body),
            answered: match self.outcome {
                Outcome::Answered(status) => Some(status),
                _ => None,
            },
            outcome: self.outcome,
        }
    }
}

fn utf8(bytes: &Bytes) -> Option<String> {
    str::from_utf8(bytes).ok().map(Into::into)
}

fn to_the_millisecond<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::testing::call;

    fn all() -> Wanted {
        Wanted { path: PathPattern::new("*"), after: 0, since: None }
    }

    #[test]
    fn the_oldest_requests_are_dropped_and_that_is_said() {
        let log = Log::bounded(3, 1 << 20);

        for _ in 0..5 {
            log.open(&call("POST", "/hook.eu1.make.com/a", "x")).close(Outcome::Answered(200));
        }

        let found = log.find(&all());
        let kept: Vec<_> = found.requests.iter().map(|request| request.seq).collect();
        assert_eq!(kept, [3, 4, 5]);
        assert_eq!((found.dropped, found.last_seq), (2, 5));
    }

    #[test]
    fn large_bodies_are_bounded_too() {
        let log = Log::bounded(100, 10);

        for body in ["123456", "123456", "a body larger than the bound"] {
            log.open(&call("POST", "/hook.eu1.make.com/a", body));
        }

        let found = log.find(&all());
        assert_eq!(found.requests.len(), 1);
        assert_eq!(found.dropped, 2);
    }

    #[test]
    fn times_are_written_with_three_digits() {
        let log = Log::default();
        log.open(&call("POST", "/hook.eu1.make.com/a", ""));

        let json = serde_json::to_value(&log.find(&all()).requests[0]).unwrap();

        let time = json["received_at"].as_str().unwrap();
        let (_, fraction) = time.split_once('.').unwrap();
        assert_eq!(fraction.len(), "123Z".len(), "{time}");
    }

    #[test]
    fn a_request_that_ends_after_it_was_forgotten_does_no_harm() {
        let log = Log::default();
        let open = log.open(&call("POST", "/hook.eu1.make.com/a", ""));

        log.forget(&PathPattern::new("*"));
        open.close(Outcome::Answered(200));

        assert!(log.find(&all()).requests.is_empty());
    }
}
