//! One attempt: the POST, its row in the log, and what follows for the delivery and its endpoint.
//!
//! The order of the writes is the order of what may be lost: first the log, then the delivery, then counters and the
//! endpoint's health. Killed after the log, the next worker finds the logged attempt and goes on from it.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use shared::{
    Error, Result, automation,
    delivery::{Attempt, Delivery, GRACE, State, Trigger, Verdict, judge, wait},
    egress::{Answer, Silence},
    endpoint::{self, Endpoint},
    event::Event,
    key, metrics, notice,
    queue::LONGEST_DELAY,
    sign,
    table::Created,
};

use super::Deps;

/// Makes an attempt. What it came to.
pub async fn make(
    deps: &Deps,
    delivery: &Delivery,
    endpoint: &Endpoint,
    trigger: Trigger,
    now: Timestamp,
) -> Result<Verdict> {
    let answer = post(deps, delivery, endpoint, now).await?;
    let attempt = logged(deps, delivery, trigger, answer, now).await?;
    if settle(deps, delivery, &attempt).await? {
        count(deps, endpoint, &attempt).await?;
        mind(deps, endpoint, &attempt, now).await?;
    }
    Ok(attempt.verdict)
}

/// Its endpoint was deleted: there is nowhere to go.
pub async fn abandon(deps: &Deps, delivery: &Delivery, now: Timestamp) -> Result<()> {
    let gone = Answer { took: Duration::ZERO, outcome: Err(Silence::Refused) };
    let attempt = logged(deps, delivery, Trigger::Schedule, gone, now).await?;
    settle(deps, delivery, &attempt).await?;
    Ok(())
}

async fn post(deps: &Deps, delivery: &Delivery, endpoint: &Endpoint, now: Timestamp) -> Result<Answer> {
    let body = event(deps, delivery).await?.payload(&deps.stage)?;
    let keyring = deps.vault.keyring().await?;
    let (tenant, id) = (endpoint.tenant.to_string(), endpoint.id.to_string());
    let open = |field, sealed| keyring.open(Endpoint::place(&tenant, &id, field), sealed);

    let current = open("secret", &endpoint.secret)?;
    let previous = match &endpoint.previous {
        Some(previous) if now < previous.until => Some(open("secret", &previous.secret)?),
        _ => None,
    };
    let secrets: Vec<_> = [Some(&current), previous.as_ref()].into_iter().flatten().collect();
    let mut headers = sign::headers(&secrets, &delivery.id.to_string(), now, body.as_bytes())?;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    put(&mut headers, "traceparent", &delivery.trace.traceparent())?;
    if let Some(key) = &endpoint.make_key {
        put(&mut headers, "x-make-apikey", open("make_key", key)?.expose_secret())?;
    }
    let url = open("url", &endpoint.url)?;
    match deps.egress.check(url.expose_secret()) {
        Ok(url) => Ok(deps.egress.post(&url, headers, body.into_bytes()).await),
        Err(_) => Ok(Answer { took: Duration::ZERO, outcome: Err(Silence::Refused) }),
    }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<()> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::internal("a header that cannot be sent", name))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

async fn event(deps: &Deps, delivery: &Delivery) -> Result<Event> {
    match deps.table.find(key::event(delivery.tenant, delivery.event)).await? {
        Some(event) => Ok(event),
        None => deps.table.get(key::event(delivery.tenant, delivery.event)).await,
    }
}

/// The row of this attempt: the one that is there already, if a worker was killed right after writing it.
async fn logged(deps: &Deps, delivery: &Delivery, trigger: Trigger, answer: Answer, now: Timestamp) -> Result<Attempt> {
    let verdict = judge(&answer.outcome);
    let ended_at = now + SignedDuration::try_from(answer.took).unwrap_or_default();
    let retry_after = answer.outcome.as_ref().ok().and_then(|answer| answer.retry_after);
    let waits = match (verdict, trigger) {
        (Verdict::Retry | Verdict::Overloaded, Trigger::Schedule) => {
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
        keep_until: delivery.keep_until,
    };
    match deps.table.create(&attempt).await? {
        Created::New => Ok(attempt),
        Created::Was(earlier) => Ok(*earlier),
    }
}

/// What the attempt makes of the delivery. Whether it was this worker that settled it.
async fn settle(deps: &Deps, delivery: &Delivery, attempt: &Attempt) -> Result<bool> {
    let ended_at = attempt.at + SignedDuration::from_millis(attempt.took_ms.try_into().unwrap_or(i64::MAX));
    let parked = key::parked(delivery.tenant, delivery.endpoint, delivery.id);
    let change = deps
        .table
        .change(key::delivery(delivery.tenant, delivery.id))
        .set("attempts", attempt.n)
        .set("last", told(attempt))
        .when("attempts", delivery.attempts)
        .when("state", delivery.state);
    let end = |state: State| (state, None, None);
    let (state, due, index) = match (attempt.verdict, attempt.trigger, attempt.next_at) {
        (Verdict::Delivered, ..) => end(State::Delivered),
        (Verdict::Gone, ..) | (_, Trigger::Probe, _) => (State::Parked, None, Some(parked)),
        (Verdict::Retry | Verdict::Overloaded, Trigger::Schedule, Some(next)) => {
            (State::Pending, Some(next), Some(key::due(delivery.id.as_bytes(), listed(next, ended_at))))
        }
        _ => end(State::Failed),
    };
    let change = match state {
        State::Pending => change.set("step", delivery.step + 1),
        State::Parked => change,
        State::Delivered | State::Failed | State::Dead => change.set("ended_at", ended_at).expires(delivery.keep_until),
    };
    let Some(now) = change.set("state", state).set_or_remove("due_at", due).index(index).send().await? else {
        return Ok(false);
    };

    match state {
        State::Pending => {
            if let Some(delay) = soon(attempt.next_at, ended_at) {
                deps.queue.send(&now.job(), delay).await?;
            }
        }
        State::Delivered => {
            metrics::milliseconds("DeliveryLatency", ended_at.duration_since(delivery.accepted_at).as_millis() as i64)
        }
        State::Failed => {
            undone(deps, delivery).await?;
            let detail =
                format!("{} was not delivered after {} attempts: {}", delivery.event_type, attempt.n, told(attempt));
            notice::give(&deps.table, delivery.tenant, "delivery_failed", delivery.id.to_string(), detail, ended_at)
                .await?;
        }
        State::Parked | State::Dead => {}
    }
    Ok(true)
}

/// An execution that could not be forwarded counts as failed with its automation.
async fn undone(deps: &Deps, delivery: &Delivery) -> Result<()> {
    if delivery.event_type == automation::EXECUTED {
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

fn told(attempt: &Attempt) -> String {
    match (attempt.status, attempt.error) {
        (Some(status), _) => format!("HTTP {status}"),
        (None, Some(Silence::Refused)) => "the address must not be called".into(),
        (None, Some(Silence::Timeout)) => "no answer within 15 seconds".into(),
        (None, Some(Silence::Network) | None) => "no connection".into(),
    }
}

async fn count(deps: &Deps, endpoint: &Endpoint, attempt: &Attempt) -> Result<()> {
    let succeeded = attempt.verdict == Verdict::Delivered;
    let change = deps
        .table
        .change(key::hour(endpoint.tenant, endpoint.id, attempt.at))
        .or_new()
        .set("tenant", endpoint.tenant)
        .set("endpoint", endpoint.id)
        .set("hour", attempt.at)
        .add(if succeeded { "succeeded" } else { "failed" }, 1)
        .add("took_ms", attempt.took_ms)
        .expires(attempt.keep_until);
    let change = if succeeded { change.set("last_success_at", attempt.at) } else { change };
    change.send().await?;
    Ok(())
}

/// What the attempt makes of its endpoint; one notice at each change of state.
async fn mind(deps: &Deps, endpoint: &Endpoint, attempt: &Attempt, now: Timestamp) -> Result<()> {
    match attempt.verdict {
        Verdict::Delivered => recovered(deps, endpoint, now).await,
        Verdict::Gone => {
            let reason = "the receiver answered 410 Gone: its webhook has no scenario any more";
            turn(deps, endpoint, endpoint::State::Disabled, reason, now).await
        }
        // The pace was too fast; the endpoint is well.
        Verdict::Overloaded if attempt.status == Some(429) => Ok(()),
        Verdict::Retry | Verdict::Overloaded | Verdict::Refused => failed(deps, endpoint, attempt, now).await,
    }
}

async fn recovered(deps: &Deps, endpoint: &Endpoint, now: Timestamp) -> Result<()> {
    if endpoint.failures == 0 && endpoint.state == endpoint::State::Active {
        return Ok(());
    }
    if endpoint.state == endpoint::State::Active {
        let change = deps.table.change(key::endpoint(endpoint.tenant, endpoint.id));
        change.set("failures", 0).remove("failing_since").when("state", endpoint.state).send().await?;
        deps.forget(endpoint.id);
        return Ok(());
    }
    turn(deps, endpoint, endpoint::State::Active, "deliveries succeed again", now).await
}

async fn failed(deps: &Deps, endpoint: &Endpoint, attempt: &Attempt, now: Timestamp) -> Result<()> {
    let change = deps.table.change(key::endpoint(endpoint.tenant, endpoint.id)).add("failures", 1).when_there();
    let change = match endpoint.failing_since {
        Some(_) => change,
        None => change.set("failing_since", now),
    };
    let next = endpoint.after_failure(now);
    change.send().await?;
    deps.forget(endpoint.id);
    if next == endpoint.state {
        return Ok(());
    }
    let reason = format!("{} failures in a row, the last: {}", endpoint.failures + 1, told(attempt));
    turn(deps, endpoint, next, &reason, now).await
}

/// Puts an endpoint into another state, unless somebody else has; says so once.
pub(super) async fn turn(
    deps: &Deps,
    endpoint: &Endpoint,
    state: endpoint::State,
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    use endpoint::State::{Active, Degraded, Disabled, Held};
    let change = deps
        .table
        .change(key::endpoint(endpoint.tenant, endpoint.id))
        .set("state", state)
        .set("reason", reason)
        .when("state", endpoint.state);
    let listed = |at| Some(key::due(endpoint.id.as_bytes(), at));
    let soon = now + SignedDuration::from_mins(1);
    let change = match state {
        Active => change
            .set("failures", 0)
            .remove("failing_since")
            .set("probes", 0)
            .set("opened_at", now)
            .set("check_at", soon)
            .index(listed(soon)),
        Held => change.set("probes", 0).set("check_at", soon).index(listed(soon)),
        Degraded => change,
        Disabled => change.remove("check_at").index(None),
    };
    let turned = change.send().await?.is_some();
    deps.forget(endpoint.id);
    if !turned {
        return Ok(());
    }
    if state == Active && endpoint.state.parks() {
        let job = shared::delivery::Job::Check { tenant: endpoint.tenant, endpoint: endpoint.id };
        deps.queue.send(&job, Duration::ZERO).await?;
    }
    let (name, word) = match state {
        Active => ("endpoint_recovered", "works again"),
        Degraded => ("endpoint_degraded", "is degraded"),
        Held => ("endpoint_held", "is held, what is due to it is parked"),
        Disabled => ("endpoint_disabled", "is disabled, what is due to it is parked"),
    };
    let detail = format!("{} {word}: {reason}", endpoint.name);
    notice::give(&deps.table, endpoint.tenant, name, endpoint.id.to_string(), detail, now).await
}
