//! Make's API, version 2 (developers.make.com): who asks, how much, and what an answer is worth.
//!
//! An organisation may ask so many times a minute, whoever asks for it: half of that is ours, so that the tenant's own
//! programs have the rest. Nothing is tried again here: whoever asks comes back by itself.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use http::{HeaderValue, Method, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::{
    egress::{Answered, Egress, Silence},
    error::{Error, Result},
    id::TenantId,
    limit::{Drawn, Limits, Rate},
    make::{Place, Zone},
    table::Table,
};

mod rows;

pub use rows::{Hook, License, LogRow, Organization, Scenario, Scheduling, Team, Used};

/// The least that any plan with an API may ask a minute (Core; developers.make.com, rate limiting).
pub const LEAST_LIMIT: u32 = 60;
/// How long to wait after a 429 that does not say (developers.make.com, HTTP status codes), and the most that is waited.
const BUSY: Duration = Duration::from_secs(60);
const BUSY_AT_MOST: Duration = Duration::from_secs(300);
/// A wait for our own pace that is worth sitting out.
const WORTH_WAITING_MS: i64 = 2_000;
/// One answer may take so long.
const PATIENCE: Duration = Duration::from_secs(8);
/// The longest answer that is read.
const MOST: usize = 4 * 1024 * 1024;
/// Rows a page, and the most pages of one list.
const PAGE: usize = 100;
const PAGES: usize = 100;
/// Rows a page of a log, where Make.com does not say how many it gives (what it gives unless asked).
const LOG_PAGE: usize = 50;
/// The longest place in a log that is believed.
const LONGEST_PLACE: usize = 300;

/// The way to Make's API. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    egress: Egress,
    table: Table,
    limits: Limits,
}

/// Who asks.
pub struct Caller {
    tenant: TenantId,
    zone: Zone,
    token: SecretString,
    rate: Rate,
    asked: AtomicU32,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Rows<T> {
    /// Those that can be read.
    pub rows: Vec<T>,
    /// How many there were.
    pub told: usize,
    /// There may be more behind them.
    pub more: bool,
}

/// A page of a scenario's log.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// Those that can be read.
    pub rows: Vec<LogRow>,
    /// How many there were.
    pub told: usize,
    /// The place of the last one.
    pub last: Option<String>,
    /// Whether they go back in time, as they are asked to.
    pub latest_first: bool,
    /// There may be more behind them.
    pub more: bool,
}

/// Why there is no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Token, scope or role: asking again changes nothing.
    #[error("Make.com refuses: {what}")]
    Refused {
        /// 401 or 403.
        status: u16,
        /// In Make's words.
        what: String,
    },
    /// It is missing, or hidden from this token.
    #[error("Make.com knows of nothing there")]
    Missing,
    /// Too many requests: Make's limit, or our share of it.
    #[error("Make.com is asked too much")]
    Busy {
        /// How long to wait.
        wait: Duration,
    },
    /// Nothing wrong with the request: it may work the next time.
    #[error("Make.com is in trouble: {0}")]
    Down(Cow<'static, str>),
    /// An answer that is not as it is documented.
    #[error("Make.com answered in a form that cannot be read: {0}")]
    Odd(Cow<'static, str>),
    /// We could not even ask.
    #[error(transparent)]
    Ours(#[from] Error),
}

impl From<Failure> for Error {
    /// As a person is told that waits for it.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Ours(error) => error,
            Failure::Busy { wait } => Self::TooMany { retry_after: wait.as_secs().max(1) },
            other => Self::Upstream { what: other.to_string().into(), cause: other.into() },
        }
    }
}

impl Caller {
    /// With what Make.com takes a minute from the organisation, where that is known.
    pub fn new(tenant: TenantId, zone: Zone, token: SecretString, api_limit: Option<u32>) -> Self {
        let ours = (api_limit.unwrap_or(LEAST_LIMIT) / 2).max(1);
        let rate = Rate { burst: ours, period_ms: 60_000, fails_open: false };
        Self { tenant, zone, token, rate, asked: AtomicU32::new(0) }
    }

    /// How many requests it has made.
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Api {
    /// Paced by what the table remembers.
    pub fn new(egress: Egress, table: Table) -> Self {
        Self { egress, table, limits: Limits::default() }
    }

    /// What the token may do.
    pub async fn scopes(&self, caller: &Caller) -> Result<Vec<String>, Failure> {
        let mut answer = self.get(caller, "/users/me/current-authorization", &[]).await?;
        let scopes = answer.pointer_mut("/authorization/scope").map(Value::take);
        one(scopes)
    }

    /// An organisation.
    pub async fn organization(&self, caller: &Caller, id: u64) -> Result<Organization, Failure> {
        let mut answer = self.get(caller, &format!("/organizations/{id}"), &[]).await?;
        one(answer.get_mut("organization").map(Value::take))
    }

    /// A team.
    pub async fn team(&self, caller: &Caller, id: u64) -> Result<Team, Failure> {
        let mut answer = self.get(caller, &format!("/teams/{id}"), &[]).await?;
        one(answer.get_mut("team").map(Value::take))
    }

    /// The teams of an organisation that the token sees.
    pub async fn teams(&self, caller: &Caller, organization: u64) -> Result<Vec<Team>, Failure> {
        self.pages(caller, "/teams", "teams", &[("organizationId", organization.to_string())]).await
    }

    /// The webhooks of a team. Make.com has no pages of these.
    pub async fn hooks(&self, caller: &Caller, team: u64) -> Result<Vec<Hook>, Failure> {
        let mut answer = self.get(caller, "/hooks", &[("teamId", team.to_string())]).await?;
        rows(caller, "/hooks", answer.get_mut("hooks").map(Value::take))
    }

    /// Whether a webhook is attached to a scenario, asked of the webhook itself.
    pub async fn is_attached(&self, caller: &Caller, hook: u64) -> Result<bool, Failure> {
        let mut answer = self.get(caller, &format!("/hooks/{hook}/ping"), &[]).await?;
        one(answer.get_mut("attached").map(Value::take))
    }

    /// Some scenarios of a team; what is missing or hidden is left out.
    pub async fn scenarios(&self, caller: &Caller, team: u64, ids: &[u64]) -> Result<Vec<Scenario>, Failure> {
        let mut query = vec![("teamId", team.to_string())];
        query.extend(ids.iter().map(|id| ("id[]", id.to_string())));
        query.extend(Scenario::COLUMNS.iter().map(|column| ("cols[]", (*column).to_owned())));
        self.pages(caller, "/scenarios", "scenarios", &query).await
    }

    /// A page of all scenarios of an organisation or a team, by their numbers.
    pub async fn scenarios_from(&self, caller: &Caller, place: Place, offset: u32) -> Result<Rows<Scenario>, Failure> {
        // Exactly one of the two, or Make.com refuses.
        let mut query = vec![match place {
            Place::Organization(id) => ("organizationId", id.to_string()),
            Place::Team(id) => ("teamId", id.to_string()),
        }];
        query.extend(Scenario::COLUMNS.iter().map(|column| ("cols[]", (*column).to_owned())));
        query.extend([("pg[sortBy]", "id".to_owned()), ("pg[sortDir]", "asc".to_owned())]);
        query.extend([("pg[offset]", offset.to_string()), ("pg[limit]", PAGE.to_string())]);
        let mut answer = self.get(caller, "/scenarios", &query).await?;
        let whole = page_size(&answer, PAGE, PAGE);
        let list = answer.get_mut("scenarios").map(Value::take);
        let told = list.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
        Ok(Rows { rows: rows(caller, "/scenarios", list)?, told, more: told >= whole })
    }

    /// What a scenario used on each of the last days, cut in the organisation's time zone: otherwise Make.com cuts them in
    /// that of the token's owner.
    pub async fn usage(&self, caller: &Caller, scenario: u64) -> Result<Vec<Used>, Failure> {
        let query = [("organizationTimezone", "true".to_owned())];
        let path = format!("/scenarios/{scenario}/usage");
        let mut answer = self.get(caller, &path, &query).await?;
        rows(caller, &path, answer.get_mut("data").map(Value::take))
    }

    /// A page of a scenario's log behind a place, the latest rows first; between two times, where they are given. Make.com
    /// describes them as milliseconds and shows them as seconds, so an answer may reach beyond them, or hold nothing.
    pub async fn log(
        &self,
        caller: &Caller,
        scenario: u64,
        between: Option<(Timestamp, Timestamp)>,
        behind: Option<&str>,
    ) -> Result<LogPage, Failure> {
        let mut query = vec![("pg[limit]", PAGE.to_string()), ("pg[sortDir]", "desc".to_owned())];
        if let Some((from, to)) = between {
            query.push(("from", from.as_millisecond().to_string()));
            query.push(("to", to.as_millisecond().to_string()));
        }
        query.extend(behind.map(|last| ("pg[last]", last.to_owned())));
        let path = format!("/scenarios/{scenario}/logs");
        let mut answer = self.get(caller, &path, &query).await?;
        let whole = page_size(&answer, PAGE, LOG_PAGE);
        let list = answer.get_mut("scenarioLogs").map(Value::take);
        let told = list.as_ref().and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let (told_in_all, more) = (told.len(), told.len() >= whole);
        let [first, last] = [told.first(), told.last()].map(|row| {
            let place = row.and_then(|row| row.get("imtId")?.as_str()).map(ToOwned::to_owned);
            place.filter(|place| (1..=LONGEST_PLACE).contains(&place.len()))
        });
        if more && last.is_none() {
            return Err(Failure::Odd("a row of the log has no place in it".into()));
        }
        let latest_first = moment(first.as_deref()) >= moment(last.as_deref());
        if let (Some(behind), Some(last)) = (behind, last.as_deref())
            && (if latest_first {
                moment(Some(last)) >= moment(Some(behind))
            } else {
                moment(Some(last)) <= moment(Some(behind))
            })
        {
            return Err(Failure::Odd("a page of the log came again".into()));
        }
        Ok(LogPage { rows: rows(caller, &path, list)?, told: told_in_all, last, latest_first, more })
    }

    /// All rows of a list. There is no link to the next page: the last one is not full.
    async fn pages<T: DeserializeOwned>(
        &self,
        caller: &Caller,
        path: &str,
        list: &str,
        query: &[(&str, String)],
    ) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        for page in 0..PAGES {
            let paged = [("pg[offset]", (page * PAGE).to_string()), ("pg[limit]", PAGE.to_string())];
            let mut answer = self.get(caller, path, &[query, &paged].concat()).await?;
            let found = answer.get_mut(list).map(Value::take);
            let full = found.as_ref().and_then(Value::as_array).map_or(0, Vec::len) == PAGE;
            all.extend(rows(caller, path, found)?);
            if !full {
                break;
            }
        }
        Ok(all)
    }

    /// One request, when its turn has come.
    async fn get(&self, caller: &Caller, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.turn(caller).await?;
        // Brackets have to be percent-encoded (developers.make.com, pagination): the serializer does.
        let query = Serializer::new(String::new()).extend_pairs(query).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        let mut token = HeaderValue::from_str(&format!("Token {}", caller.token.expose_secret()))
            .map_err(|_| Failure::Refused { status: 401, what: "the token has characters that no token has".into() })?;
        token.set_sensitive(true);
        let request = self
            .egress
            .vendor(Method::GET, caller.zone.host(), &format!("/api/v2{path}{mark}{query}"))?
            .header(header::AUTHORIZATION, token)
            .header(header::ACCEPT, "application/json")
            .timeout(PATIENCE);
        caller.asked.fetch_add(1, Ordering::Relaxed);
        read(self.egress.ask_up_to(request, MOST).await)
    }

    /// Waits for our share of the organisation's limit, unless that takes long.
    async fn turn(&self, caller: &Caller) -> Result<(), Failure> {
        loop {
            let now = Timestamp::now().as_millisecond();
            match self.limits.draw(&self.table, caller.tenant, "api of make.com", caller.rate, now).await? {
                Drawn::Token { .. } | Drawn::Unknown => return Ok(()),
                Drawn::Wait(ms) if ms <= WORTH_WAITING_MS => {
                    tokio::time::sleep(Duration::from_millis(ms.unsigned_abs())).await;
                }
                Drawn::Wait(ms) => return Err(Failure::Busy { wait: Duration::from_millis(ms.unsigned_abs()) }),
            }
        }
    }
}

/// What an answer is worth (developers.make.com, HTTP status codes).
fn read(outcome: Result<Answered, Silence>) -> Result<Value, Failure> {
    let answer = outcome.map_err(|silence| match silence {
        Silence::Refused => Failure::Down("its address does not lead to the public internet".into()),
        Silence::Timeout => Failure::Down("no answer in time".into()),
        Silence::Network | Silence::NoEndpoint => Failure::Down("no connection".into()),
    })?;
    if answer.body.len() >= MOST {
        return Err(Failure::Odd("the answer is too long".into()));
    }
    let said = || said(&answer.body).unwrap_or_else(|| format!("HTTP {}", answer.status));
    match answer.status {
        200..=299 => serde_json::from_str(&answer.body).map_err(|_| Failure::Odd("it is not JSON".into())),
        status @ (401 | 403) => Err(Failure::Refused { status, what: said() }),
        404 => Err(Failure::Missing),
        429 => {
            let wait = answer.retry_after.map_or(BUSY, Duration::from_secs);
            Err(Failure::Busy { wait: wait.clamp(Duration::from_secs(1), BUSY_AT_MOST) })
        }
        // 424: something behind it crashed or took too long.
        408 | 424 | 500..=599 => Err(Failure::Down(format!("HTTP {}", answer.status).into())),
        _ => Err(Failure::Odd(said().into())),
    }
}

/// The place of a row in a log begins with milliseconds.
fn moment(place: Option<&str>) -> Option<(u64, &str)> {
    let place = place?;
    let digits = place.split('_').next().unwrap_or_default();
    Some((digits.parse().unwrap_or_default(), place))
}

/// How many rows make a full page: as many as were asked for, unless Make.com gives fewer, and says so in `pg` or not at
/// all.
fn page_size(answer: &Value, asked: usize, unsaid: usize) -> usize {
    let told = answer.pointer("/pg/limit").and_then(Value::as_u64).and_then(|told| usize::try_from(told).ok());
    told.unwrap_or(unsaid).clamp(1, asked)
}

/// The text of an error: `detail` is the better one, `suberrors` say what exactly.
fn said(body: &str) -> Option<String> {
    let error: Value = serde_json::from_str(body).ok()?;
    let text = |value: &Value, field: &str| value.get(field)?.as_str().map(ToOwned::to_owned);
    let mut said = text(&error, "detail").or_else(|| text(&error, "message"))?;
    for suberror in error.get("suberrors").and_then(Value::as_array).into_iter().flatten() {
        if let Some(more) = text(suberror, "message") {
            said = format!("{said} {more}");
        }
    }
    if let Some(code) = text(&error, "code") {
        said = format!("{said} ({code})");
    }
    Some(said.chars().filter(|c| !c.is_control()).take(200).collect())
}

/// What was asked for. Why it cannot be read would show a piece of it.
fn one<T: DeserializeOwned>(value: Option<Value>) -> Result<T, Failure> {
    let value = value.ok_or(Failure::Odd("what was asked for is not in it".into()))?;
    serde_json::from_value(value).map_err(|_| Failure::Odd("what was asked for is of another form".into()))
}

/// The rows of a list. One that cannot be read does not hide the others.
fn rows<T: DeserializeOwned>(caller: &Caller, path: &str, list: Option<Value>) -> Result<Vec<T>, Failure> {
    let Some(Value::Array(list)) = list else { return Err(Failure::Odd("there is no list in it".into())) };
    let told = list.len();
    let rows: Vec<T> = list.into_iter().filter_map(|row| serde_json::from_value(row).ok()).collect();
    if rows.len() < told {
        let passed_over = told - rows.len();
        tracing::warn!(tenant.id = %caller.tenant, path, rows = passed_over, "rows of Make.com were of another form, and passed over");
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str, retry_after: Option<u64>) -> Result<Value, Failure> {
        read(Ok(Answered { status, retry_after, body: body.into() }))
    }

    #[test]
    fn an_error_is_told_in_the_better_of_its_words() {
        let body = r#"{"detail":"Access denied.","message":"Permission denied","code":"SC403","suberrors":[{"message":"teamId is required"}]}"#;
        assert_eq!(said(body).unwrap(), "Access denied. teamId is required (SC403)");
        assert_eq!(said(r#"{"message":"Permission denied"}"#).unwrap(), "Permission denied");
        assert_eq!(said("<html>"), None);
    }

    #[test]
    fn each_status_means_what_make_means_by_it() {
        assert!(matches!(answered(401, "", None), Err(Failure::Refused { status: 401, .. })));
        assert!(matches!(answered(403, "", None), Err(Failure::Refused { status: 403, .. })));
        assert!(matches!(answered(404, "", None), Err(Failure::Missing)));
        for (asked, waited) in [(None, 60), (Some(7), 7), (Some(0), 1), (Some(86_400), 300)] {
            let Err(Failure::Busy { wait }) = answered(429, "", asked) else { panic!("busy") };
            assert_eq!(wait.as_secs(), waited);
        }
        for status in [424, 500, 503] {
            assert!(matches!(answered(status, "<html>", None), Err(Failure::Down(_))), "{status}");
        }
        assert!(matches!(answered(200, "<html>", None), Err(Failure::Odd(_))));
        assert!(matches!(answered(400, "{}", None), Err(Failure::Odd(_))));
    }

    #[test]
    fn half_of_the_limit_is_ours() {
        let burst = |limit| Caller::new(TenantId::new(), Zone::Eu1, "t".into(), limit).rate.burst;
        assert_eq!((burst(Some(240)), burst(None), burst(Some(1))), (120, 30, 1));
    }
}
