//! Faults on demand: the next answers of a path, a share of its answers, or all of them until told otherwise.

use std::collections::{BTreeMap, VecDeque};

use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{call::Answer, path::PathPattern};

/// One thing that goes wrong. Without an answer of its own it only delays the vendor's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Answer with this status in place of the vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The body of that answer: a string is sent as it is, anything else as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The headers of that answer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Wait this long before anything else.
    #[serde(skip_serializing_if = "is_default")]
    pub delay_ms: u64,
    /// Close the connection without an answer.
    #[serde(skip_serializing_if = "is_default")]
    pub down: bool,
    /// Make's 400 `Queue is full`.
    #[serde(skip_serializing_if = "is_default")]
    pub queue_full: bool,
    /// Make's 429 `Too many requests`; add `retry_after` for the header that Make does not send.
    #[serde(skip_serializing_if = "is_default")]
    pub too_many_requests: bool,
    /// 410 with an empty body.
    #[serde(skip_serializing_if = "is_default")]
    pub closed: bool,
    /// The value of a `Retry-After` header: seconds or a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<String>,
    /// In `next`: as often as this, once unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

impl Fault {
    /// This status with an empty body.
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// The connection is closed without an answer.
    pub fn down() -> Self {
        Self { down: true, ..Self::default() }
    }

    /// 400 `Queue is full`.
    pub fn queue_full() -> Self {
        Self { queue_full: true, ..Self::default() }
    }

    /// 429 `Too many requests`.
    pub fn too_many_requests() -> Self {
        Self { too_many_requests: true, ..Self::default() }
    }

    /// 410.
    pub fn closed() -> Self {
        Self { closed: true, ..Self::default() }
    }

    /// The vendor's own answer, this much later.
    pub fn slow(delay_ms: u64) -> Self {
        Self { delay_ms, ..Self::default() }
    }

    /// The same with this body: a string as it is, anything else as JSON.
    pub fn body(mut self, body: impl Into<Value>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The same with one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// The same with a `Retry-After` header.
    pub fn retry_after(mut self, value: impl ToString) -> Self {
        self.retry_after = Some(value.to_string());
        self
    }

    /// The same, this much later.
    pub fn after_ms(mut self, delay_ms: u64) -> Self {
        self.delay_ms = delay_ms;
        self
    }

    /// The same, as often as this.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn check(&self) -> Result<(), String> {
        let kinds = [self.status.is_some(), self.down, self.queue_full, self.too_many_requests, self.closed];
        match kinds.iter().filter(|is| **is).count() {
            0 if self.body.is_some() || self.retry_after.is_some() || !self.headers.is_empty() => {
                return Err("`body`, `headers` and `retry_after` need a `status`".into());
            }
            0 if self.delay_ms == 0 => return Err("a fault that does nothing".into()),
            0 | 1 => {}
            _ => {
                return Err("one of `status`, `down`, `queue_full`, `too_many_requests`, `closed`".into());
            }
        }
        if let Some(status) = self.status
            && !(200..=599).contains(&status)
        {
            return Err(format!("status {status} is not one between 200 and 599"));
        }
        let retry_after = self.retry_after.iter().map(|value| ("retry-after", value));
        for (name, value) in self.headers.iter().map(|(name, value)| (name.as_str(), value)).chain(retry_after) {
            HeaderName::try_from(name).map_err(|_| format!("`{name}` is no header name"))?;
            HeaderValue::try_from(value).map_err(|_| format!("`{name}` has no header value"))?;
        }
        Ok(())
    }

    /// What replaces the vendor's answer; nothing if the fault was a delay.
    pub(super) fn hit(&self) -> Option<Hit> {
        if self.down {
            return Some(Hit::Down);
        }
        let mut answer = if self.queue_full {
            Answer::text(StatusCode::BAD_REQUEST, "Queue is full")
        } else if self.too_many_requests {
            Answer::text(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
        } else if self.closed {
            Answer::empty(StatusCode::GONE)
        } else {
            Answer::empty(StatusCode::from_u16(self.status?).ok()?)
        };
        answer = match &self.body {
            None => answer,
            Some(Value::String(text)) => Answer::text(answer.status, text),
            Some(json) => Answer::json(answer.status, json),
        };
        if let Some(value) = &self.retry_after {
            answer = answer.header("retry-after", value);
        }
        for (name, value) in &self.headers {
            answer = answer.header(name, value);
        }
        Some(Hit::Answer(answer))
    }
}

/// What a fault does once its delay is over.
pub(super) enum Hit {
    Down,
    Answer(Answer),
}

/// What a path does until it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As the vendor would.
    Up,
    /// Closes every connection without an answer.
    Down,
    /// 410.
    Closed,
    /// As the vendor would, five seconds later.
    Slow,
    /// 500.
    Failing,
    /// 400 `Queue is full`.
    QueueFull,
    /// 429.
    TooManyRequests,
}

impl Mode {
    fn fault(self) -> Option<Fault> {
        match self {
            Mode::Up => None,
            Mode::Down => Some(Fault::down()),
            Mode::Closed => Some(Fault::closed()),
            Mode::Slow => Some(Fault::slow(5_000)),
            Mode::Failing => Some(Fault::status(500).body("Internal Server Error")),
            Mode::QueueFull => Some(Fault::queue_full()),
            Mode::TooManyRequests => Some(Fault::too_many_requests()),
        }
    }
}

/// A mode by its name, or any fault that stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Standing {
    /// By name.
    Mode(Mode),
    /// A fault that every request meets.
    Fault(Box<Fault>),
}

impl Standing {
    fn fault(self) -> Option<Fault> {
        match self {
            Standing::Mode(mode) => mode.fault(),
            Standing::Fault(fault) => Some(*fault),
        }
    }
}

impl From<Mode> for Standing {
    fn from(mode: Mode) -> Self {
        Standing::Mode(mode)
    }
}

impl From<Fault> for Standing {
    fn from(fault: Fault) -> Self {
        Standing::Fault(Box::new(fault))
    }
}

/// A share of all requests fails. Which ones is scattered, yet the same in every run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// From 0 to 1.
    pub share: f64,
    /// What happens to them.
    pub answer: Fault,
}

/// What `POST /_control/faults` takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultOrder {
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) next: Vec<Fault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rate: Option<Rate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<Standing>,
}

impl FaultOrder {
    fn check(&self) -> Result<(), String> {
        if self.path.is_empty() {
            return Err("`path` is empty".into());
        }
        if self.next.is_empty() && self.rate.is_none() && self.mode.is_none() {
            return Err("one of `next`, `rate`, `mode`".into());
        }
        for fault in &self.next {
            fault.check()?;
        }
        if let Some(rate) = &self.rate {
            if !(0.0..=1.0).contains(&rate.share) {
                return Err("`share` is not between 0 and 1".into());
            }
            rate.answer.check()?;
        }
        match &self.mode {
            Some(Standing::Fault(fault)) => fault.check(),
            Some(Standing::Mode(_)) | None => Ok(()),
        }
    }
}

/// All faults that are standing or waiting.
#[derive(Default)]
pub(super) struct Faults(Vec<Rule>);

struct Rule {
    path: PathPattern,
    next: VecDeque<Fault>,
    rate: Option<Rate>,
    mode: Option<Fault>,
    rolled: u64,
}

impl Faults {
    /// Takes an order: `next` is added to what waits, `rate` and `mode` replace what stood.
    pub(super) fn order(&mut self, order: FaultOrder) -> Result<(), String> {
        order.check()?;
        let path = PathPattern::new(&order.path);
        let rule = match self.0.iter().position(|rule| rule.path == path) {
            Some(known) => &mut self.0[known],
            None => {
                let index = self.0.partition_point(|rule| rule.path.width() <= path.width());
                self.0.insert(index, Rule::of(path));
                &mut self.0[index]
            }
        };
        for mut fault in order.next {
            let times = fault.times.take().unwrap_or(1) as usize;
            rule.next.extend(std::iter::repeat_n(fault, times));
        }
        if let Some(rate) = order.rate {
            rule.rate = Some(rate);
            rule.rolled = 0;
        }
        if let Some(mode) = order.mode {
            rule.mode = mode.fault();
        }
        Ok(())
    }

    /// What goes wrong with the request that has just come. The most exact path decides first;
    /// on one path what waits comes before what stands, and that before the rate.
    pub(super) fn strike(&mut self, path: &str) -> Option<Fault> {
        self.0.iter_mut().filter(|rule| rule.path.matches(path)).find_map(Rule::strike)
    }

    /// Removes the faults that were ordered for exactly this path, or all of them.
    pub(super) fn clear(&mut self, path: Option<&PathPattern>) {
        self.0.retain(|rule| path.is_some_and(|path| rule.path != *path));
    }

    /// What is standing and waiting, in the form it was ordered.
    pub(super) fn list(&self) -> Vec<FaultOrder> {
        self.0
            .iter()
            .map(|rule| FaultOrder {
                path: rule.path.as_str().into(),
                next: rule.next.iter().cloned().collect(),
                rate: rule.rate.clone(),
                mode: rule.mode.clone().map(Standing::from),
            })
            .collect()
    }
}

impl Rule {
    fn of(path: PathPattern) -> Self {
        Self { path, next: VecDeque::new(), rate: None, mode: None, rolled: 0 }
    }

    fn strike(&mut self) -> Option<Fault> {
        self.next.pop_front().or_else(|| self.mode.clone()).or_else(|| self.roll())
    }

    /// Steps of the golden ratio fall evenly on the unit interval and follow no pattern that a retry could hide in.
    fn roll(&mut self) -> Option<Fault> {
        const GOLDEN_RATIO: f64 = 0.618_033_988_749_894_9;
        let rate = self.rate.as_ref()?;
        self.rolled += 1;
        let at = (self.rolled as f64 * GOLDEN_RATIO).fract();
        (at < rate.share).then(|| rate.answer.clone())
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ordered(orders: Value) -> Faults {
        let mut faults = Faults::default();
        for order in orders.as_array().unwrap() {
            let order = serde_json::from_value(order.clone()).unwrap();
            faults.order(order).unwrap();
        }
        faults
    }

    #[test]
    fn the_next_answers_come_in_order_and_then_the_vendor_again() {
        let mut faults = ordered(json!([
            { "path": "/h/a", "next": [{ "status": 500, "times": 2 }, { "down": true }] },
        ]));

        let struck: Vec<_> = (0..4).map(|_| faults.strike("/h/a")).collect();

        assert_eq!(struck, [Some(Fault::status(500)), Some(Fault::status(500)), Some(Fault::down()), None]);
    }

    #[test]
    fn the_most_exact_path_decides() {
        let mut faults = ordered(json!([
            { "path": "*", "mode": "failing" },
            { "path": "/h/*", "mode": "down" },
            { "path": "/h/a", "next": [{ "closed": true }] },
        ]));

        assert_eq!(faults.strike("/h/a"), Some(Fault::closed()));
        assert_eq!(faults.strike("/h/a"), Some(Fault::down()));
        assert_eq!(faults.strike("/other").unwrap().status, Some(500));
    }

    #[test]
    fn a_rate_fails_its_share_and_the_same_ones_in_every_run() {
        let orders = json!([{ "path": "/h/a", "rate": { "share": 0.3, "answer": { "status": 503 } } }]);
        let mut first = ordered(orders.clone());
        let mut second = ordered(orders);

        let failed: Vec<bool> = (0..1000).map(|_| first.strike("/h/a").is_some()).collect();
        let again: Vec<bool> = (0..1000).map(|_| second.strike("/h/a").is_some()).collect();

        let share = failed.iter().filter(|failed| **failed).count();
        assert!((298..=302).contains(&share), "{share}");
        assert_eq!(failed, again);
    }

    #[test]
    fn up_ends_a_mode_and_nothing_else() {
        let mut faults = ordered(json!([
            { "path": "/h/a", "mode": "down", "next": [{ "queue_full": true }] },
            { "path": "/h/a", "mode": "up" },
        ]));

        assert_eq!(faults.strike("/h/a"), Some(Fault::queue_full()));
        assert_eq!(faults.strike("/h/a"), None);
    }

    #[test]
    fn an_order_that_could_not_do_what_it_says_is_refused() {
        let refused = [
            json!({ "path": "/h/a" }),
            json!({ "path": "/h/a", "next": [{}] }),
            json!({ "path": "/h/a", "next": [{ "status": 99 }] }),
            json!({ "path": "/h/a", "next": [{ "down": true, "status": 500 }] }),
            json!({ "path": "/h/a", "next": [{ "body": "x" }] }),
            json!({ "path": "/h/a", "next": [{ "status": 500, "headers": { "no name": "x" } }] }),
            json!({ "path": "/h/a", "rate": { "share": 30, "answer": { "status": 500 } } }),
            json!({ "path": "", "mode": "down" }),
        ];

        for order in refused {
            let parsed = serde_json::from_value::<FaultOrder>(order.clone()).unwrap();
            assert!(Faults::default().order(parsed).is_err(), "{order}");
        }
        for misspelt in
            [json!({ "path": "/h/a", "mode": "asleep" }), json!({ "path": "/h/a", "next": [{ "stauts": 500 }] })]
        {
            assert!(serde_json::from_value::<FaultOrder>(misspelt).is_err());
        }
    }
}
