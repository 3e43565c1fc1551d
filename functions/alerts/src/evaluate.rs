//! Every hour: judges what is known of every tenant by its rules, and opens, goes on with and ends alerts.
//!
//! Where very much breaks at once, all of it is listed at once, and told little by little: [`MOST_TOLD`] notices an hour.
//!
//! An evaluation that is repeated in its hour changes nothing, and two that overlap write each change once: an alert is
//! written only as it was read. One that is killed leaves what it had not written to the next.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    alert::{Alert, Kind, Scope, Subject},
    boot::Tick,
    id::{AlertId, TenantId},
    key, metrics,
    table::Table,
    tenant,
};
use tokio::time::{Instant, timeout};

use crate::{
    advance::{Look, advance},
    book::{Book, Reach},
    engine,
    moment::Moment,
    rules::Rules,
    tell,
};

/// Tenants that have their turns side by side.
const ABREAST: usize = 4;
/// So many notices a tenant gets in an hour; what else there is to tell follows in the next ones.
const MOST_TOLD: usize = 20;

/// How long things may take.
#[derive(Clone, Copy)]
pub struct Terms {
    /// After so long no turn begins.
    pub budget: Duration,
    /// A turn is broken off after so long. With the budget, less than the function may run.
    pub end: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { budget: Duration::from_secs(200), end: Duration::from_secs(60) }
    }
}

/// What a run did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evaluated {
    /// Tenants that were judged.
    pub tenants: usize,
    /// Alerts that changed.
    pub changed: usize,
    /// Events that tell of them.
    pub told: usize,
    /// Tenants of which something could not be judged.
    pub failed: usize,
    /// Tenants that had no turn.
    pub waiting: usize,
}

/// Judges every tenant.
pub async fn handle(table: &Table, _: Tick) -> Result<Evaluated> {
    all(table, Timestamp::now(), Terms::default()).await
}

/// The same at a time, and on terms. A tenant that fails does not keep the others; the run fails in the end, and where there
/// was no time for all: it is repeated, and changes nothing of what it has done.
pub async fn all(table: &Table, now: Timestamp, terms: Terms) -> Result<Evaluated> {
    let begun = Instant::now();
    let turns: Vec<_> = stream::iter(tenant::all(table).await?)
        .map(|tenant| async move {
            if begun.elapsed() >= terms.budget {
                return (tenant, None);
            }
            (tenant, Some(turn(table, tenant, now, terms).await))
        })
        .buffer_unordered(ABREAST)
        .collect()
        .await;

    let mut told = Evaluated::default();
    let mut trouble = None;
    for (tenant, turn) in turns {
        match turn {
            None => told.waiting += 1,
            Some(Ok(turn)) => {
                told.tenants += 1;
                told.changed += turn.changed;
                told.told += turn.told;
            }
            Some(Err(error)) => {
                tracing::warn!(tenant.id = %tenant, error = ?error, "alerts were not evaluated: {error}");
                told.failed += 1;
                trouble = Some(error);
            }
        }
    }
    if told.waiting > 0 {
        tracing::warn!(tenants = told.waiting, "there was no time to evaluate the alerts of all tenants");
        trouble = trouble.or_else(|| Some(Error::unavailable("evaluation", "there was no time for all tenants")));
    }
    match trouble {
        None => Ok(told),
        Some(cause) => {
            metrics::count("AlertEvaluationsFailed", (told.failed + told.waiting) as u64);
            Err(Error::unavailable("evaluation", cause))
        }
    }
}

/// The turn of a tenant, which has an end and keeps its panics to itself.
async fn turn(table: &Table, tenant: TenantId, now: Timestamp, terms: Terms) -> Result<Turn> {
    match AssertUnwindSafe(timeout(terms.end, one(table, tenant, now))).catch_unwind().await {
        Ok(Ok(turn)) => turn,
        Ok(Err(late)) => Err(Error::unavailable("evaluation", late)),
        Err(_) => Err(Error::internal("an evaluation panicked", "see the lines before")),
    }
}

/// What became of a tenant's turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Alerts that changed.
    pub changed: usize,
    /// Events that tell of them.
    pub told: usize,
    /// Notices of this hour: these, and those of an evaluation that is repeated or met.
    notices: usize,
}

/// Judges a tenant.
pub async fn one(table: &Table, tenant: TenantId, now: Timestamp) -> Result<Turn> {
    let zone = tenant::zone(table, tenant).await?;
    let moment = Moment::of(&zone, now);
    let book = Book::read(table, tenant, zone, moment.date, &Scope::Tenant, Reach::present(moment.date)).await?;
    let alerts: BTreeMap<AlertId, Alert> =
        table.list_all(&key::alerts(tenant)).await?.into_iter().map(|alert| (alert.id, alert)).collect();
    let rules = Rules::read(table, tenant).await?;
    let unread = book.unread();
    if unread > 0 {
        tracing::warn!(tenant.id = %tenant, scenarios = unread, "of some scenarios too much is known to judge what they do by the hour");
        metrics::count("ScenariosNotJudged", unread as u64);
    }
    let judge = Judge { table, tenant, book: &book, rules: &rules, moment: &moment };

    let mut turn = Turn { notices: notices(hour(now), &alerts), ..Turn::default() };
    let mut seen = BTreeSet::new();
    for kind in Kind::ALL {
        for subject in book.subjects(kind) {
            let id = subject.alert(tenant, kind);
            seen.insert(id);
            judge.go(kind, &subject, alerts.get(&id), &mut turn).await?;
        }
    }
    // Of scenarios that nothing is known of any more.
    for alert in alerts.values().filter(|alert| alert.is_on() && !seen.contains(&alert.id)) {
        judge.go(alert.kind, &alert.subject, Some(alert), &mut turn).await?;
    }
    Ok(turn)
}

/// So many notices at most the evaluations of this hour have written already: one that is repeated has no more of them.
fn notices(hour: Timestamp, alerts: &BTreeMap<AlertId, Alert>) -> usize {
    let of = |alert: &Alert| match alert.told_at == Some(hour) || alert.resolved_at == Some(hour) {
        // That of the day before may have ended in the same hour.
        true if alert.opened_at == hour && alert.breach.day.is_some() => 2,
        told => usize::from(told),
    };
    alerts.values().map(of).sum()
}

struct Judge<'a> {
    table: &'a Table,
    tenant: TenantId,
    book: &'a Book,
    rules: &'a Rules,
    moment: &'a Moment,
}

impl Judge<'_> {
    async fn go(&self, kind: Kind, subject: &Subject, known: Option<&Alert>, turn: &mut Turn) -> Result<()> {
        if !self.book.is_read_for(kind, subject) {
            return Ok(());
        }
        let name = self.book.name(subject);
        let mut known = known.cloned();
        // A limit of yesterday ends, and that of today begins; so does that of whom the scenario runs for now.
        for _ in 0..2 {
            let rule = self.rules.on(kind, subject);
            let open_since = known.as_ref().filter(|alert| alert.is_on()).map(|alert| alert.opened_at);
            let facts = self.book.facts(subject, open_since);
            let breach = rule.as_ref().and_then(|rule| engine::evaluate(rule.thresholds, &facts, self.moment));
            let look = Look {
                tenant: self.tenant,
                kind,
                subject,
                name: &name,
                muted_until: rule.and_then(|rule| rule.muted_until),
                enough: turn.notices >= MOST_TOLD,
                hour: hour(self.moment.at),
                today: self.moment.date,
            };
            let Some((next, change)) = advance(known.as_ref(), breach, &look) else { return Ok(()) };
            turn.notices += usize::from(change.is_some());
            if !tell::write(self.table, known.as_ref(), &next, change, self.moment.at).await? {
                return Ok(());
            }
            turn.changed += 1;
            turn.told += usize::from(change.is_some());
            let again = !next.is_on() && (next.breach.day.is_some() || next.subject.owner != subject.owner);
            known = Some(next);
            if !again {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The hour of a moment.
pub fn hour(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(3_600) * 3_600).unwrap_or(at)
}
