//! A hook's queue. With its scenario off, what comes is accepted and piles up until the queue is full.
//!
//! That a hook whose scenario is off still answers 200 follows from the vendor's rules for queues; so does a full queue's
//! 400. The status of a hook that is disabled is not documented: it takes no data, and answers here as one that is gone.

use std::time::{Duration, Instant};

use http::StatusCode;

use super::{Answer, Object, Zone, is, number_in};

/// A hook and what waits in it.
pub(super) struct Hook {
    /// Without its queue's count and its scenario, which are known elsewhere.
    pub(super) object: Object,
    pub(super) count: u64,
    pub(super) drain: Drain,
    /// Since when what is gone from the queue has not been counted.
    pub(super) since: Instant,
}

/// How fast a scenario that is on works the queue off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Drain {
    AtOnce,
    PerSecond(f64),
}

impl Hook {
    fn work(&mut self, on: bool, now: Instant) {
        match self.drain {
            _ if !on => self.since = now,
            Drain::AtOnce => (self.count, self.since) = (0, now),
            Drain::PerSecond(rate) if rate > 0.0 => {
                let done = (now.duration_since(self.since).as_secs_f64() * rate).floor();
                self.count = self.count.saturating_sub(done as u64);
                self.since += Duration::from_secs_f64(done / rate);
            }
            Drain::PerSecond(_) => self.since = now,
        }
    }
}

impl Zone {
    /// The scenario that a hook starts.
    pub(super) fn scenario_of_hook(&self, id: u64) -> Option<(u64, &Object)> {
        let attached = self.scenarios.iter().find(|(_, scenario)| number_in(scenario, "hookId") == Some(id))?;
        Some((*attached.0, attached.1))
    }

    /// Works off what the scenarios that are on have done by now.
    pub(super) fn settle(&mut self, now: Instant) {
        let ids: Vec<u64> = self.hooks.keys().copied().collect();
        for id in ids {
            let on = self
                .scenario_of_hook(id)
                .is_some_and(|(_, it)| is(it, "isActive") && !is(it, "isPaused") && !is(it, "isinvalid"));
            if let Some(hook) = self.hooks.get_mut(&id) {
                hook.work(on, now);
            }
        }
    }

    pub(super) fn receive(&mut self, udid: &str, now: Instant) -> Option<Answer> {
        self.settle(now);
        let hook = self.hooks.values_mut().find(|hook| hook.object["udid"] == udid)?;
        if is(&hook.object, "gone") || !is(&hook.object, "enabled") {
            return Some(Answer::empty(StatusCode::GONE));
        }
        if hook.count >= number_in(&hook.object, "queueLimit").unwrap_or(u64::MAX) {
            return Some(Answer::text(StatusCode::BAD_REQUEST, "Queue is full"));
        }
        hook.count += 1;
        None
    }
}
