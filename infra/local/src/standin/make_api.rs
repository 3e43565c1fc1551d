//! Make's API: organisations, teams, scenarios with their runs, and hooks with their queues.
//!
//! What it shows is set up by the control interface, in the vendor's own words. A hook's queue is the one that the
//! webhook of the same address fills ([`queue`]), so both tell the same story.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Instant,
};

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    call::{Answer, Call, either},
    make::Limit,
};
pub use account::{MakeAccount, MakeOrder};
use queue::Hook;
use read::Reader;
pub use runs::MakeRun;
use runs::Runs;

mod account;
mod page;
mod queue;
mod read;
mod runs;
mod template;

const ZONES: [&str; 6] =
    ["eu1.make.com", "eu2.make.com", "us1.make.com", "us2.make.com", "eu1.make.celonis.com", "us1.make.celonis.com"];

/// What the limit of an organisation counts by.
const MINUTE_MS: u64 = 60_000;

pub(super) fn plays(host: &str) -> bool {
    ZONES.contains(&host)
}

/// An object in the vendor's own words.
type Object = Map<String, Value>;

#[derive(Default)]
pub(super) struct MakeApi {
    zones: BTreeMap<String, Zone>,
    /// Counts up over all that is made, in every zone.
    last_id: u64,
}

/// Organisations live in one zone, with all that is theirs.
#[derive(Default)]
struct Zone {
    tokens: BTreeMap<String, Token>,
    organizations: BTreeMap<u64, Object>,
    teams: BTreeMap<u64, Object>,
    scenarios: BTreeMap<u64, Object>,
    hooks: BTreeMap<u64, Hook>,
    runs: BTreeMap<u64, Runs>,
    /// Incomplete executions by scenario.
    dlqs: BTreeMap<u64, Vec<Object>>,
    /// When the last calls of each organisation came.
    taken: HashMap<u64, VecDeque<Instant>>,
}

/// What an API token may do and see.
#[derive(Clone, Debug)]
struct Token {
    scopes: Vec<String>,
    organizations: Vec<u64>,
    /// The user's, in which days are cut unless the organisation's is asked for.
    timezone: String,
}

impl MakeApi {
    pub(super) fn answer(&mut self, call: &Call, now: Instant) -> Answer {
        match self.zones.get_mut(&call.host) {
            Some(zone) => either(zone.answer(call, now)),
            None => unauthorized(),
        }
    }

    /// What the hook of this address answers in place of `Accepted`, if it is set up here and does not take it.
    pub(super) fn receive(&mut self, host: &str, udid: &str, now: Instant) -> Option<Answer> {
        self.zones.get_mut(host.strip_prefix("hook.")?)?.receive(udid, now)
    }
}

impl Zone {
    fn answer(&mut self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        self.settle(now);
        let path = call.path.strip_prefix("/api/v2/").ok_or_else(not_found)?;
        let path: Vec<&str> = path.split('/').collect();
        let token = call.credential("token").and_then(|token| self.tokens.get(token)).ok_or_else(unauthorized)?.clone();
        self.charge(&token, &path, call, now)?;
        if call.method != Method::GET {
            return Err(Answer::text(StatusCode::METHOD_NOT_ALLOWED, "Only reading is played here"));
        }
        if call.raw_query.contains(['[', ']']) {
            return Err(invalid("Brackets must be percent-encoded", &[]));
        }
        let json = Reader { zone: self, token: &token, call }.read(&path)?;
        Ok(Answer::json(StatusCode::OK, &json))
    }

    /// Counts a call against its organisation's limit for each minute.
    fn charge(&mut self, token: &Token, path: &[&str], call: &Call, now: Instant) -> Result<(), Answer> {
        let meant = self.organization_meant(path, call).filter(|id| token.organizations.contains(id));
        let Some(id) = meant.or(token.organizations.first().copied()) else { return Ok(()) };
        let limit = self.organizations.get(&id).and_then(|it| it["license"]["apiLimit"].as_u64());
        let limit = Limit { requests: limit.map_or(usize::MAX, |limit| limit as usize), per_ms: MINUTE_MS };
        if limit.admits(self.taken.entry(id).or_default(), now) {
            return Ok(());
        }
        let message = "Requests limit for organization exceeded, please try again later.";
        Err(Answer::json(StatusCode::TOO_MANY_REQUESTS, &json!({ "message": message, "code": "SC429" })))
    }

    fn organization_meant(&self, path: &[&str], call: &Call) -> Option<u64> {
        let number = |text: &str| text.parse::<u64>().ok();
        let asked = |name: &str| call.query.find(name).and_then(number);
        let [what, rest @ ..] = path else { return None };
        let id = rest.first().copied().and_then(number);
        match (*what, id) {
            ("organizations", Some(id)) => Some(id),
            ("teams", Some(id)) => self.organization_of_team(id),
            ("scenarios", Some(id)) => self.organization_of_scenario(id),
            ("hooks", Some(id)) => self.organization_of_team(number_in(&self.hooks.get(&id)?.object, "teamId")?),
            _ => asked("organizationId")
                .or_else(|| self.organization_of_team(asked("teamId")?))
                .or_else(|| self.organization_of_scenario(asked("scenarioId")?)),
        }
    }

    fn organization_of_team(&self, id: u64) -> Option<u64> {
        number_in(self.teams.get(&id)?, "organizationId")
    }

    fn organization_of_scenario(&self, id: u64) -> Option<u64> {
        self.organization_of_team(number_in(self.scenarios.get(&id)?, "teamId")?)
    }
}

fn number_in(object: &Object, name: &str) -> Option<u64> {
    object.get(name)?.as_u64()
}

fn is(object: &Object, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or(false)
}

// ── what Make answers when something is wrong ────────────────────────────────

/// The wording for a bad token is not documented.
fn unauthorized() -> Answer {
    let body = json!({ "detail": "Access denied.", "message": "Access Denied", "code": "IM001" });
    Answer::json(StatusCode::UNAUTHORIZED, &body)
}

fn forbidden() -> Answer {
    let body = json!({ "detail": "Access denied.", "message": "Permission denied", "code": "SC403" });
    Answer::json(StatusCode::FORBIDDEN, &body)
}

/// What is missing, and what is hidden from this token. The wording is not documented.
fn not_found() -> Answer {
    Answer::json(StatusCode::NOT_FOUND, &json!({ "detail": "Not found.", "message": "Not Found", "code": "SC404" }))
}

fn invalid(detail: &str, suberrors: &[&str]) -> Answer {
    let mut body = json!({ "detail": detail, "message": "Invalid input parameters", "code": "IM005" });
    if !suberrors.is_empty() {
        body["suberrors"] = suberrors.iter().map(|message| json!({ "message": message })).collect();
    }
    Answer::json(StatusCode::BAD_REQUEST, &body)
}
