//! Make.com: custom webhooks. They take anything, promise only that it is queued, and check no signature.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{
    call::{Answer, Call},
    make_api::MakeApi,
    path::PathPattern,
};

/// What Make takes at most; the status above it is not documented, its edge was seen to answer 502.
const LARGEST_PAYLOAD: usize = 5_000_000;

pub(super) fn plays(host: &str) -> bool {
    host.strip_prefix("hook.").is_some_and(|zone| zone.ends_with(".make.com") || zone.ends_with(".make.celonis.com"))
}

/// What is special about one hook, or about each hook under a path that ends in `*`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// `/hook.eu1.make.com/{udid}`.
    pub path: String,
    /// With any of these in `x-make-apikey` a request is let in; with none set, every request is.
    #[serde(default)]
    pub api_keys: Vec<String>,
    /// The most requests it takes in a time; no limit unless set.
    #[serde(default)]
    pub limit: Option<Limit>,
}

/// So many requests in so much time; what is over it gets a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    /// 300 at Make.
    pub requests: usize,
    /// 10,000 at Make.
    pub per_ms: u64,
}

impl Default for Limit {
    fn default() -> Self {
        Self { requests: 300, per_ms: 10_000 }
    }
}

#[derive(Default)]
pub(super) struct Make {
    hooks: Vec<(PathPattern, Hook)>,
    taken: HashMap<String, VecDeque<Instant>>,
}

impl Make {
    /// Replaces what was set for the same path.
    pub(super) fn set(&mut self, hook: Hook) {
        let path = PathPattern::new(&hook.path);
        self.hooks.retain(|(known, _)| *known != path);
        self.taken.retain(|taken, _| !path.matches(taken));
        let index = self.hooks.partition_point(|(known, _)| known.width() <= path.width());
        self.hooks.insert(index, (path, hook));
    }

    pub(super) fn list(&self) -> Vec<Hook> {
        self.hooks.iter().map(|(_, hook)| hook.clone()).collect()
    }

    /// What the API knows of a hook decides about its queue.
    pub(super) fn answer(&mut self, call: &Call, now: Instant, api: &mut MakeApi) -> Answer {
        let udid = &call.path[1..];
        if udid.is_empty() || udid.contains('/') {
            return Answer::text(StatusCode::NOT_FOUND, "Not found");
        }
        let hook = self.hooks.iter().find(|(path, _)| path.matches(&call.whole_path)).map(|(_, hook)| hook);

        if let Some(limit) = hook.and_then(|hook| hook.limit) {
            let taken = self.taken.entry(call.whole_path.clone()).or_default();
            if !limit.admits(taken, now) {
                return Answer::text(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
            }
        }
        let keys = hook.map_or(&[][..], |hook| &hook.api_keys);
        let shown = call.header("x-make-apikey").unwrap_or_default();
        if !keys.is_empty() && !keys.iter().any(|key| key == shown) {
            return Answer::text(StatusCode::UNAUTHORIZED, "Unauthorized");
        }
        if call.body.len() > LARGEST_PAYLOAD {
            return Answer::text(StatusCode::BAD_GATEWAY, "Bad gateway");
        }
        let refused = api.receive(&call.host, udid, now);
        refused.unwrap_or_else(|| Answer::text(StatusCode::OK, "Accepted"))
    }
}

impl Limit {
    pub(super) fn admits(self, taken: &mut VecDeque<Instant>, now: Instant) -> bool {
        let window = Duration::from_millis(self.per_ms);
        while taken.front().is_some_and(|then| now.duration_since(*then) >= window) {
            taken.pop_front();
        }
        let admitted = taken.len() < self.requests;
        if admitted {
            taken.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::testing::{Scene, call};

    const HOOK: &str = "/hook.eu1.make.com/abc123";

    #[tokio::test]
    async fn a_hook_accepts_anything_as_text() {
        let scene = Scene::open().await;

        for (body, kind) in [("{\"a\":1}", "application/json"), ("not json", "text/plain")] {
            let reply = scene.send(HOOK, body, &[("content-type", kind)]).await;

            assert_eq!((reply.status, reply.text.as_str()), (200, "Accepted"));
            assert!(reply.header("content-type").starts_with("text/plain"));
        }
    }

    #[tokio::test]
    async fn every_zone_has_hooks_and_other_paths_have_none() {
        let scene = Scene::open().await;

        for path in ["/hook.us2.make.com/x", "/hook.eu1.make.celonis.com/x"] {
            assert_eq!(scene.send(path, "", &[]).await.status, 200, "{path}");
        }
        for path in ["/hook.eu1.make.com/", "/hook.eu1.make.com/a/b", "/hook.example.com/a"] {
            assert_eq!(scene.send(path, "", &[]).await.status, 404, "{path}");
        }
    }

    #[tokio::test]
    async fn a_protected_hook_wants_one_of_its_keys() {
        let scene = Scene::open().await;
        scene
            .control
            .set_hook(Hook { path: HOOK.into(), api_keys: vec!["old".into(), "new".into()], limit: None })
            .await
            .unwrap();

        for (key, status) in [("old", 200), ("new", 200), ("wrong", 401), ("", 401)] {
            let reply = scene.send(HOOK, "{}", &[("x-make-apikey", key)]).await;
            assert_eq!(reply.status, status, "{key}");
        }
        assert_eq!(scene.send(HOOK, "{}", &[]).await.status, 401);
        assert_eq!(scene.send("/hook.eu1.make.com/other", "{}", &[]).await.status, 200);
    }

    #[test]
    fn the_real_limit_is_three_hundred_in_ten_seconds_for_each_hook() {
        let mut make = Make::default();
        make.set(Hook { path: "/hook.eu1.make.com/*".into(), api_keys: vec![], limit: Some(Limit::default()) });
        let start = Instant::now();
        let mut at = |hook: &str, after_ms| {
            let request = call("POST", &format!("/hook.eu1.make.com/{hook}"), "{}");
            let answer = make.answer(&request, start + Duration::from_millis(after_ms), &mut MakeApi::default());
            answer.status.as_u16()
        };

        assert!((0..300).all(|n| at("a", n * 10) == 200));
        assert_eq!(at("a", 9_999), 429);
        assert_eq!(at("b", 9_999), 200);
        assert_eq!(at("a", 10_000), 200);
        assert_eq!(at("a", 10_001), 429);
    }

    #[test]
    fn a_body_over_five_megabytes_never_arrives() {
        let request = call("POST", HOOK, &"x".repeat(LARGEST_PAYLOAD + 1));

        let answer = Make::default().answer(&request, Instant::now(), &mut MakeApi::default());

        assert_eq!(answer.status, 502);
    }
}
