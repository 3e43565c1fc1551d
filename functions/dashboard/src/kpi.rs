//! `GET /api/dashboard/kpi`: the KPI strip of whoever asks.
//!
//! Six reads at most, however many events and however long the window: what all time amounts to at three moments is a
//! running total and an hour of a day each. Then the answer is good for 30 seconds, in this process and in the table,
//! under a key of tenant, scope and filters.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::{
    Error, Result,
    activity::Channel,
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::TenantId,
    key,
    snapshot::{Cached, Cell, Scope, Series, day_of},
    table::Table,
    tenant::{self, Zone},
};

use crate::{
    fold::{latest, total_before},
    strip::{Readings, Strip},
    window::{Question, Window},
};

/// How long an answer is good.
const GOOD: SignedDuration = SignedDuration::from_secs(30);

/// What it needs.
pub struct Deps {
    gate: Gate,
    table: Table,
    answers: Mutex<HashMap<Slot, Held>>,
}

/// Whose answer to what.
type Slot = (TenantId, Series, String);
/// An answer, and until when it is good.
type Held = (String, Timestamp);

impl Deps {
    /// All of it stands on the table.
    pub fn new(table: Table) -> Self {
        Self { gate: Gate::new(table.clone()), table, answers: Mutex::default() }
    }
}

/// The strip, and what it shows.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = KpiAnswer)]
struct Answer {
    /// Always true.
    success: bool,
    /// The strip.
    data: Shown,
}

/// The strip, and what it shows.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = KpiShown)]
struct Shown {
    /// Whose numbers.
    scope: Whose,
    /// On which channel; null is on all.
    channel: Option<Channel>,
    /// The zone that days are cut in.
    time_zone: String,
    /// From when, cut to the full hour.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// To when.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Where the equally long window before begins. It ends at `from`.
    #[schema(value_type = String, format = DateTime)]
    previous_from: Timestamp,
    /// Everything that was stored before this is counted; null before the first aggregation.
    #[schema(value_type = Option<String>, format = DateTime)]
    as_of: Option<Timestamp>,
    /// Whether the window had ended by then.
    complete: bool,
    /// The measures.
    kpis: Strip,
}

/// Whose numbers are shown.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = KpiScope)]
enum Whose {
    /// The tenant's.
    Tenant,
    /// A team's.
    Team {
        /// The team.
        team: String,
    },
    /// An agent's.
    Agent {
        /// The agent.
        agent_id: String,
    },
}

/// Active conversations, response time with its SLA, WhatsApp delivery rate, open tickets and messages, with trends.
///
/// An agent sees itself (`agent_id` of the events is the `sub` of its token), a supervisor its team, an owner the
/// tenant. Each measure says what it means, what it rests on, and how it compares with the equally long window before.
/// Windows are cut to full hours; days begin at midnight of the tenant's zone; `7d` and `30d` are today and the days
/// before. The answer is good for 30 seconds and carries an `ETag`. A person who is limited to one client gets 403:
/// the numbers are of the whole company.
#[utoipa::path(
    get,
    path = "/api/dashboard/kpi",
    operation_id = "dashboard_kpi",
    tag = "dashboard",
    params(
        ("range" = Option<String>, Query, description = "`today` (unless said otherwise), `24h`, `7d` or `30d`"),
        ("from" = Option<String>, Query, description = "Instead of `range`: RFC 3339, with `to`, at most 366 days before it"),
        ("to" = Option<String>, Query, description = "See `from`"),
        ("channel" = Option<Channel>, Query, description = "One channel alone"),
        ("sla_target_s" = Option<u32>, Query, description = "The response time that was promised, in seconds: 300 unless said otherwise"),
    ),
    responses(
        (status = 200, description = "The strip", body = Answer),
        (status = 304, description = "You have this very answer already")
    )
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?.of_whole_tenant()?;
    let scope = scope(&person)?;
    let question = Question::read(&call)?;

    let series = Series { scope, channel: question.channel };
    let body = match deps.known(person.tenant, &series, &question, call.now).await? {
        Some(body) => body,
        None => deps.answer(person.tenant, series, &question, call.now).await?,
    };

    let reply = Reply {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=30")),
        ]),
        body: body.into(),
    };
    Ok(reply.tagged(&call))
}

/// What a person may see. It becomes part of the key that is read.
fn scope(person: &Person) -> Result<Scope> {
    match person.role {
        Role::Agent => Ok(Scope::Agent(person.subject.clone())),
        Role::Supervisor => person
            .team
            .clone()
            .map(Scope::Team)
            .ok_or(Error::Forbidden("your account has no team whose numbers it could see")),
        Role::Owner | Role::Admin => Ok(Scope::Tenant),
    }
}

impl Deps {
    /// An answer that is still good.
    async fn known(
        &self,
        tenant: TenantId,
        series: &Series,
        question: &Question,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let slot = (tenant, series.clone(), question.word());
        let held = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(&slot).cloned();
        if let Some((body, until)) = held
            && is_good(until, now)
        {
            return Ok(Some(body));
        }
        let cached = self.table.find(key::cached(tenant, series, &slot.2)).await?;
        let Some(Cached { answer, until, .. }) = cached.filter(|cached| is_good(cached.until, now)) else {
            return Ok(None);
        };
        self.hold(slot, answer.clone(), until, now);
        Ok(Some(answer))
    }

    async fn answer(&self, tenant: TenantId, series: Series, question: &Question, now: Timestamp) -> Result<String> {
        let progress = self.table.find(key::progress(tenant)).await?;
        let (zone, as_of) = match progress {
            Some(progress) => (progress.time_zone, progress.as_of),
            None => (tenant::zone(&self.table, tenant).await?, None),
        };
        let window = question.window(&zone, now);
        let complete = as_of.is_some_and(|as_of| window.to <= as_of);
        let (before, from, to) = self.readings(tenant, &series, &zone, window).await?;
        let kpis = Strip::of(&Readings { before, from, to, as_of, complete, sla_target_s: question.sla_target_s })?;
        let shown = Shown {
            scope: match &series.scope {
                Scope::Tenant => Whose::Tenant,
                Scope::Team(team) => Whose::Team { team: team.clone() },
                Scope::Agent(agent) => Whose::Agent { agent_id: agent.clone() },
            },
            channel: series.channel,
            time_zone: zone.into(),
            from: window.from,
            to: window.to,
            previous_from: window.before,
            as_of,
            complete,
            kpis,
        };
        let answer = Answer { success: true, data: shown };
        let body =
            serde_json::to_string(&answer).map_err(|cause| Error::internal("the strip does not serialize", cause))?;
        let cached = Cached { tenant, series, filters: question.word(), answer: body.clone(), until: now + GOOD };
        // A cache that cannot be written costs the next caller a moment, and this one nothing.
        if let Err(error) = self.table.put(&cached).await {
            tracing::warn!(error = ?error, "an answer was not cached: {error}");
        }
        self.hold((tenant, cached.series, cached.filters), body.clone(), cached.until, now);
        Ok(body)
    }

    async fn readings(
        &self,
        tenant: TenantId,
        series: &Series,
        zone: &Zone,
        window: Window,
    ) -> Result<(Cell, Cell, Cell)> {
        futures::try_join!(
            self.all_time(tenant, series, zone, window.before),
            self.all_time(tenant, series, zone, window.from),
            self.all_time(tenant, series, zone, window.to),
        )
    }

    /// What all time amounts to at a moment: all hours that began before it.
    async fn all_time(&self, tenant: TenantId, series: &Series, zone: &Zone, at: Timestamp) -> Result<Cell> {
        let just_before = at - SignedDuration::from_nanos(1);
        let date = day_of(zone, just_before);
        let today = key::hours_of_day_before(tenant, series, date, at);
        let (mut total, today) =
            futures::try_join!(total_before(&self.table, tenant, series, date), latest(&self.table, &today))?;
        total.merge(&today)?;
        Ok(total)
    }

    fn hold(&self, slot: Slot, body: String, until: Timestamp, now: Timestamp) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= 1_000 {
            answers.retain(|_, (_, until)| is_good(*until, now));
        }
        if answers.len() < 1_000 {
            answers.insert(slot, (body, until));
        }
    }
}

/// Neither past nor, should a clock have been set back, further off than any answer is good.
fn is_good(until: Timestamp, now: Timestamp) -> bool {
    now < until && until <= now + GOOD
}
