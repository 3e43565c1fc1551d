//! One attempt: the POST, its row in the log, and what follows for the delivery and its endpoint.
//!
//! The order of the writes is the order of what may be lost: first the log, then the delivery, then counters and the
//! endpoint's health. A worker killed in between has posted; the next one posts the same `webhook-id` again, and of the
//! two outcomes of this one attempt a success counts, as long as the delivery has not gone on from the other.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::{
    Result, automation, booking,
    delivery::{Attempt, Delivery, GRACE, State, Trigger, Verdict, judge, wait},
    egress::{Answer, Silence},
    endpoint::Endpoint,
    event::Event,
    key, metrics, notice, outcome,
    queue::LONGEST_DELAY,
    table::{Change, Created},
};

use super::{Deps, health};
use crate::post::{self, Message, Ways};

/// Makes an attempt. What it came to.
pub async fn make(
    deps: &Deps,
    delivery: &Delivery,
    endpoint: &Endpoint,
    trigger: Trigger,
    now: Timestamp,
) -> Result<Verdict> {
    let answer = post(deps, delivery, endpoint, now).await?;
    let logged = log(deps, delivery, trigger, answer, now).await?;
    let attempt = &logged.attempt;
    // What comes of a replay says nothing about the endpoint.
    let telling = attempt.trigger != Trigger::Replay;
    if attempt.verdict == Verdict::Gone && telling {
        // Before the delivery is parked: what is parked for an open endpoint would be forgotten.
        health::close(deps, endpoint, now).await?;
    }
    if let Some(state) = settle(deps, delivery, &logged).await? {
        // The delivery is settled; what follows is worth a warning, not another attempt.
        let after = async {
            health::count(deps, delivery, attempt, state).await?;
            if telling { health::update(deps, endpoint, attempt, now).await } else { Ok(()) }
        };
        if let Err(error) = after.await {
            tracing::warn!(error = ?error, "the attempt was not counted: {error}");
        }
    }
    Ok(attempt.verdict)
}

/// Its endpoint was deleted: there is nowhere to go.
pub async fn abandon(deps: &Deps, delivery: &Delivery, now: Timestamp) -> Result<()> {
    let gone = Answer { took: Duration::ZERO, outcome: Err(Silence::NoEndpoint) };
    let logged = log(deps, delivery, due(delivery), gone, now).await?;
    settle(deps, delivery, &logged).await?;
    Ok(())
}

/// What makes the attempt that a delivery is due for.
pub fn due(delivery: &Delivery) -> Trigger {
    if delivery.replay { Trigger::Replay } else { Trigger::Schedule }
}

async fn post(deps: &Deps, delivery: &Delivery, endpoint: &Endpoint, now: Timestamp) -> Result<Answer> {
    let event = event(deps, delivery).await?;
    let known = booking::context(&deps.table, &event).await;
    let keyring = deps.vault.keyring().await?;
    let outcome_url = outcome::link(&keyring, &deps.public_url, delivery)?;
    let body = event.body(endpoint.form, &deps.stage, &known, outcome_url.as_deref())?;
    let id = delivery.id.to_string();
    let ways = Ways { egress: &deps.egress, mail: &deps.mail };
    post::once(&keyring, ways, endpoint, Message { id: &id, trace: delivery.trace, body }, now).await
}

async fn event(deps: &Deps, delivery: &Delivery) -> Result<Event> {
    match deps.table.find(key::event(delivery.tenant, delivery.event)).await? {
        Some(event) => Ok(event),
        None => deps.table.get(key::event(delivery.tenant, delivery.event)).await,
    }
}

/// What an attempt came to.
struct Logged {
    attempt: Attempt,
    /// The log has this attempt's failure from another worker: the success takes its place together with the delivery, for
    /// that may have gone on, and the log tells of one success then.
    replaces: bool,
}

/// Logs this attempt, unless it stands there already: a worker was killed right after writing it.
async fn log(deps: &Deps, delivery: &Delivery, trigger: Trigger, answer: Answer, now: Timestamp) -> Result<Logged> {
    let verdict = judge(&answer.outcome);
    let ended_at = now + SignedDuration::try_from(answer.took).unwrap_or_default();
    let retry_after = answer.outcome.as_ref().ok().and_then(|answer| answer.retry_after);
    let waits = match (verdict, trigger) {
        (Verdict::Retry | Verdict::Overloaded, Trigger::Schedule | Trigger::Replay) => {
            wait(delivery.step, verdict, retry_after, rand::random())
        }
        _ => None,
    };
    let (status, error, body) = match answer.outcome {
        Ok(answer) => (Some(answer.status), None, Some(answer.body)),
        Err(silence) => (None, Some(silence), None),
    };
    let attempt = Attempt {
        tenant: delivery.tenant,
        delivery: delivery.id,
        n: delivery.attempts + 1,
        at: now,
        trigger,
        took_ms: answer.took.as_millis().try_into().unwrap_or(u64::MAX),
        status,
        error,
        answer: body.filter(|body| !body.is_empty()),
        verdict,
        next_at: waits.map(|wait| ended_at + SignedDuration::try_from(wait).unwrap_or_default()),
        keep_until: delivery.kept_from(ended_at),
    };
    Ok(match deps.table.create(&attempt).await? {
        Created::New => Logged { attempt, replaces: false },
        Created::Was(earlier) if attempt.verdict != Verdict::Delivered || earlier.verdict == Verdict::Delivered => {
            Logged { attempt: *earlier, replaces: false }
        }
        Created::Was(_) => Logged { attempt, replaces: true },
    })
}

/// What the attempt makes of the delivery: its state, where it was this worker that settled the attempt.
async fn settle(deps: &Deps, delivery: &Delivery, logged: &Logged) -> Result<Option<State>> {
    let attempt = &logged.attempt;
    let ended_at = attempt.at + SignedDuration::from_millis(attempt.took_ms.try_into().unwrap_or(i64::MAX));
    let next = next(attempt);
    if next == State::Failed {
        tell(deps, delivery, attempt, ended_at).await?;
    }
    let change = made(deps, delivery, attempt).set("state", next).when("state", delivery.state);
    let change = match (next, attempt.next_at) {
        (State::Pending, Some(due)) => change
            .set("step", delivery.step + 1)
            .set("due_at", due)
            .index(Some(key::due(delivery.id.as_bytes(), listed(due, ended_at)))),
        (State::Parked, _) => {
            change.remove("due_at").index(Some(key::parked(delivery.tenant, delivery.endpoint, delivery.id)))
        }
        _ => change.remove("due_at").index(None).set("ended_at", ended_at).expires(attempt.keep_until),
    };
    if !write(deps, change, logged).await? {
        return overtaken(deps, delivery, logged).await;
    }

    if next == State::Delivered && !delivery.replay {
        let latency = ended_at.duration_since(delivery.accepted_at);
        metrics::milliseconds("DeliveryLatency", i64::try_from(latency.as_millis()).unwrap_or(i64::MAX));
    }
    if let Some(delay) = soon(attempt.next_at, ended_at)
        && let Err(error) = deps.queue.send(&delivery.job_after(attempt.n), delay).await
    {
        tracing::warn!(error = ?error, "the next try has no message; the sweep brings it");
    }
    Ok(Some(next))
}

/// Writes what became of the delivery, and the log's row with it where that is to be replaced.
async fn write(deps: &Deps, change: Change<'_, Delivery>, logged: &Logged) -> Result<bool> {
    match logged.replaces {
        true => deps.table.transact().put(&logged.attempt).change(change).send().await,
        false => change.write().await,
    }
}

/// That the attempt was made, if nobody has made it meanwhile.
fn made<'d>(deps: &'d Deps, delivery: &Delivery, attempt: &Attempt) -> Change<'d, Delivery> {
    deps.table
        .change(key::delivery(delivery.tenant, delivery.id))
        .set("attempts", attempt.n)
        .set("last", told(attempt))
        .set_or_remove("last_status", attempt.status)
        .when("attempts", delivery.attempts)
}

/// A person has cancelled the delivery while the attempt was under way: it stays cancelled, but what has arrived has
/// arrived.
async fn overtaken(deps: &Deps, delivery: &Delivery, logged: &Logged) -> Result<Option<State>> {
    let attempt = &logged.attempt;
    let change = made(deps, delivery, attempt).when("state", State::Cancelled);
    let (state, change) = match attempt.verdict {
        Verdict::Delivered => (State::Delivered, change.set("state", State::Delivered).remove("reason")),
        _ => (State::Cancelled, change),
    };
    Ok(write(deps, change, logged).await?.then_some(state))
}

/// Where a delivery stands after an attempt.
fn next(attempt: &Attempt) -> State {
    // An answer that is about this one body, not about the endpoint.
    const ABOUT_THE_BODY: [u16; 4] = [400, 413, 415, 422];
    match (attempt.verdict, attempt.trigger) {
        (Verdict::Delivered, _) => State::Delivered,
        (Verdict::Refused, Trigger::Probe) if attempt.status.is_some_and(|status| ABOUT_THE_BODY.contains(&status)) => {
            State::Failed
        }
        (Verdict::Gone, Trigger::Schedule) | (_, Trigger::Probe) => State::Parked,
        (Verdict::Retry | Verdict::Overloaded, _) if attempt.next_at.is_some() => State::Pending,
        _ => State::Failed,
    }
}

/// A person is told that a delivery has failed for good; its automation, if it was one's, counts it.
async fn tell(deps: &Deps, delivery: &Delivery, attempt: &Attempt, at: Timestamp) -> Result<()> {
    let detail = format!("{} was not delivered after {} attempts: {}", delivery.event_type, attempt.n, told(attempt));
    notice::give(&deps.table, delivery.tenant, "delivery_failed", delivery.id.to_string(), detail, at).await?;
    // Of a replay it has counted before.
    if delivery.event_type == automation::EXECUTED && attempt.trigger != Trigger::Replay {
        automation::failed(&deps.table, &event(deps, delivery).await?).await?;
    }
    Ok(())
}

/// How long SQS holds the message of a next try; nothing where the sweep has to bring it.
fn soon(next: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let wait = Duration::try_from(next?.duration_since(now)).unwrap_or_default();
    (wait <= LONGEST_DELAY).then_some(wait)
}

/// Where the due-time index lists a next try: at its time, or a grace later where a message is under way.
fn listed(next: Timestamp, now: Timestamp) -> Timestamp {
    match soon(Some(next), now) {
        Some(_) => next + GRACE,
        None => next,
    }
}

pub(super) fn told(attempt: &Attempt) -> String {
    match (attempt.status, attempt.error) {
        (Some(status), _) => format!("HTTP {status}"),
        (None, Some(Silence::Refused)) => "the address must not be called".into(),
        (None, Some(Silence::NoEndpoint)) => "its endpoint is gone".into(),
        (None, Some(Silence::Timeout)) => "no answer within 15 seconds".into(),
        (None, Some(Silence::Network) | None) => "no connection".into(),
    }
}
