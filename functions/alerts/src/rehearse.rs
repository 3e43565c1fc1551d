//! `POST /api/v1/alert-rules/rehearse`: when a rule would have opened alerts, before it is made.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    Result,
    alert::{Alert, Kind, Scope, Severity, State, Subject, Thresholds},
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Fields, Reply},
    id::{ClientId, TenantId},
    idempotency,
    table::Table,
    tenant,
};
use utoipa::ToSchema;

use crate::{
    advance::{Look, advance},
    book::{Book, Reach},
    engine, evaluate,
    moment::Moment,
    rules::{self, Rules},
};

/// So far back it is rehearsed.
const DAYS: i64 = 30;
/// So many alerts are told of.
const MOST: usize = 500;

/// What rehearsing needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()? })
    }
}

/// A rule to rehearse.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form of what is read field by field")]
#[schema(as = AlertRehearsal)]
pub struct Rehearsal {
    kind: Kind,
    /// What it would hold for: all of the tenant unless given.
    scope: Option<RehearsalScope>,
    /// Those of its kind; what is left out is usual.
    #[schema(value_type = Option<Object>, example = json!({ "percent": 10, "min_runs": 20 }))]
    thresholds: Option<Value>,
}

/// What a rule would hold for.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form of what is read field by field")]
#[schema(as = AlertRehearsalScope)]
pub struct RehearsalScope {
    /// One client.
    client_id: Option<ClientId>,
    /// One scenario.
    scenario_id: Option<String>,
}

/// What would have happened.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertRehearsed)]
pub struct Rehearsed {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Hours that were judged.
    hours: usize,
    /// Scenarios, or clients and the company, that the rule would hold for: those that have no narrower one.
    subjects: usize,
    /// Notices that would have gone out, of openings and ends. Of all rules together 20 go out in an hour; the rest follows
    /// in the next ones.
    notices: usize,
    /// The alerts, by the hour at which they would have opened; 500 at most.
    alerts: Vec<Opening>,
    /// Whether there would have been more than 500.
    truncated: bool,
}

/// An alert that would have been.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertRehearsedOpening)]
struct Opening {
    client_id: Option<ClientId>,
    scenario_id: Option<String>,
    name: String,
    severity: Severity,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    /// Null where it would be open still.
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Timestamp>,
    /// What showed it last, for a person.
    summary: String,
    #[schema(value_type = Object)]
    evidence: BTreeMap<String, Value>,
}

/// Judges a rule in every hour of the last 30 days, by what is known of them now, and tells when it would have opened alerts
/// and ended them. Nothing is stored, and nobody is told.
///
/// What was stated for a day counts from the day's beginning on; costs are judged at the end of each day; how the pull went
/// is not known any more; a status counts since Make.com said so. 400 where the scope holds more than 20,000 days of
/// scenarios by the hour, or 200,000 as a whole: narrow it. For owners.
#[utoipa::path(
    post,
    path = "/api/v1/alert-rules/rehearse",
    operation_id = "alert_rule_rehearse",
    tag = "alerts",
    request_body = Rehearsal,
    responses((status = 200, description = "What would have happened", body = Rehearsed))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, subject, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    idempotency::once(&deps.table, &call, tenant, &subject, async || {
        let (scope, thresholds) = read(call.fields()?)?;
        rules::there_is(&deps.table, tenant, &scope).await?;
        let zone = tenant::zone(&deps.table, tenant).await?;
        let moments = moments(&zone, thresholds.kind(), call.now);
        let today = Moment::of(&zone, call.now).date;
        let from = moments.first().map_or(today, |moment| moment.date);
        let reach = Reach::past(thresholds.kind(), from, today);
        let book = Book::read(&deps.table, tenant, zone, today, &scope, reach).await?;
        let rules = Rules::read(&deps.table, tenant).await?;
        let mut subjects = book.subjects(thresholds.kind());
        subjects.retain(|subject| rules.leave(thresholds.kind(), subject, &scope));
        Ok(Reply::ok(rehearse(&book, tenant, &subjects, &thresholds, &moments)))
    })
    .await
}

fn read(mut body: Fields) -> Result<(Scope, Thresholds)> {
    let kind: Option<Kind> = body.required("kind");
    let scope = rules::scope_of_body(&mut body, kind);
    let thresholds = rules::thresholds(&mut body, kind);
    body.build(|| Some((scope?, thresholds?)))
}

/// The ends of hours at which a rule is judged.
fn moments(zone: &tenant::Zone, kind: Kind, now: Timestamp) -> Vec<Moment> {
    let last = evaluate::hour(now);
    let first = last - SignedDuration::from_hours(DAYS * 24);
    let hours = (0..=DAYS * 24).map(|n| first + SignedDuration::from_hours(n));
    // The last second of an hour is the last at which it counts.
    let all: Vec<_> = hours.map(|at| Moment::of(zone, at - SignedDuration::from_secs(1))).collect();
    match kind {
        Kind::CostSpike => {
            let ends = all.windows(2).filter(|pair| pair[0].date != pair[1].date).map(|pair| pair[0].clone());
            ends.chain(all.last().cloned()).collect()
        }
        _ => all,
    }
}

fn rehearse(
    book: &Book,
    tenant: TenantId,
    subjects: &[Subject],
    thresholds: &Thresholds,
    moments: &[Moment],
) -> Rehearsed {
    let (mut alerts, mut notices) = (Vec::new(), 0);
    for subject in subjects {
        let name = book.name(subject);
        let mut known: Option<Alert> = None;
        let mut nth = 0;
        while let Some(moment) = moments.get(nth) {
            let open_since = known.as_ref().filter(|alert| alert.is_on()).map(|alert| alert.opened_at);
            let breach = engine::evaluate(thresholds, &book.facts(subject, open_since), moment);
            let hour = evaluate::hour(moment.at);
            let look = Look {
                tenant,
                kind: thresholds.kind(),
                subject,
                name: &name,
                muted_until: None,
                enough: false,
                hour,
                today: moment.date,
            };
            nth += 1;
            let Some((next, change)) = advance(known.as_ref(), breach, &look) else { continue };
            notices += usize::from(change.is_some());
            if next.state == State::Resolved {
                alerts.push(Opening::of(&next));
                // A limit of yesterday ends, and that of today begins.
                nth -= usize::from(next.breach.day.is_some_and(|day| day != moment.date));
            }
            known = Some(next);
        }
        alerts.extend(known.filter(Alert::is_on).as_ref().map(Opening::of));
    }
    alerts.sort_by(|one, other| (one.opened_at, &one.name).cmp(&(other.opened_at, &other.name)));
    let truncated = alerts.len() > MOST;
    alerts.truncate(MOST);
    let end = |moment: Option<&Moment>| moment.map_or(Timestamp::UNIX_EPOCH, |moment| moment.at);
    Rehearsed {
        from: end(moments.first()),
        to: end(moments.last()),
        hours: moments.len(),
        subjects: subjects.len(),
        notices,
        alerts,
        truncated,
    }
}

impl Opening {
    fn of(alert: &Alert) -> Self {
        let Subject { owner, scenario } = &alert.subject;
        Self {
            client_id: owner.client(),
            scenario_id: scenario.as_ref().filter(|which| which.by_id).map(|which| which.scenario.clone()),
            name: alert.name.clone(),
            severity: alert.breach.severity,
            opened_at: alert.opened_at,
            resolved_at: alert.resolved_at,
            summary: alert.breach.summary.clone(),
            evidence: alert.breach.evidence.clone(),
        }
    }
}
