//! `GET /api/webhooks/booking-events`: is it configured, does it arrive, what waits.

use deliveries::health::{self, EndpointHealth, Health};
use serde::Serialize;
use shared::{
    Result,
    apikey::Scope,
    boot::{Aws, Missing},
    endpoint::{Holder, State},
    gate::{Gate, Machine},
    http::{Call, Reply},
    limit::Rate,
    receiver::Severity,
    table::Table,
};
use utoipa::ToSchema;

use crate::row_change::EVENT_TYPES;

/// Below this share of successes in a day it says so (the booking events document: a success rate above 95 %).
const GOOD_RATE: f64 = 0.95;
/// Above this age of what waits it says so.
const GOOD_AGE_S: u64 = 300;
/// Above this mean answer time it says so (the booking events document: under two seconds).
const GOOD_RESPONSE_MS: u64 = 2_000;

/// What answering needs.
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

/// The health of booking events on their way out.
#[derive(Serialize, ToSchema)]
pub struct BookingHealth {
    /// `healthy`, `degraded`, `unhealthy` or `not_configured`.
    status: &'static str,
    /// Whether any endpoint wants booking events.
    configured: bool,
    /// Whether the last attempts got through; null while none was made in a day.
    reachable: Option<bool>,
    #[serde(flatten)]
    health: Health,
    /// What keeps events from arriving, by name.
    errors: Vec<Finding>,
    /// What may soon, by name.
    warnings: Vec<Finding>,
}

/// Something found.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct Finding {
    /// Its name: stable, to be matched on.
    name: &'static str,
    /// What it is, for a person.
    detail: String,
}

/// The health and configuration of booking events: whether an endpoint is there, reachable, how it did in the last 24
/// hours, how old the queue is and what is parked; errors and warnings by name.
///
/// Make.com answers a webhook as soon as it has queued the event. Where the tenant has given an account at Make.com, the
/// errors and warnings say, too, why an event that was delivered has no effect: `scenario_off`, `scenario_paused`,
/// `scenario_invalid`, `hook_disabled`, `hook_gone`, `hook_unattached`, `queue_full`, `queue_filling`, `incomplete_runs`,
/// `receiver_unknown`.
///
/// Always 200 for a valid API key with the scope `booking_events`; `status` says how it is.
#[utoipa::path(
    get,
    path = "/api/webhooks/booking-events",
    operation_id = "booking_events_health",
    tag = "bookings",
    security(("api_key" = [])),
    responses((status = 200, description = "How it is", body = BookingHealth))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Machine { tenant, .. } = deps.gate.machine(&call, Scope::BookingEvents, Rate::CALLS).await?;

    let health = health::of(&deps.table, tenant, &EVENT_TYPES, call.now).await?;

    Ok(Reply::ok(judged(health)))
}

fn judged(health: Health) -> BookingHealth {
    let (errors, warnings) = (errors(&health), warnings(&health));
    let configured = !health.endpoints.is_empty();
    BookingHealth {
        status: match (configured, errors.is_empty(), warnings.is_empty()) {
            (false, ..) => "not_configured",
            (_, false, _) => "unhealthy",
            (_, _, false) => "degraded",
            _ => "healthy",
        },
        configured,
        reachable: (health.succeeded + health.failed > 0)
            .then(|| health.endpoints.iter().any(|endpoint| !endpoint.state.parks() && endpoint.failures == 0)),
        health,
        errors,
        warnings,
    }
}

fn errors(health: &Health) -> Vec<Finding> {
    let found = |name, detail| Finding { name, detail };
    if health.endpoints.is_empty() {
        let detail = "no endpoint wants booking events: make one with POST /api/v1/endpoints";
        return vec![found("no_endpoint", detail.into())];
    }
    let closed = |endpoint: &EndpointHealth| match endpoint.state {
        State::Held if endpoint.held_by == Some(Holder::Receiver) => {
            Some(("endpoint_held", "it opens by itself when its receiver is at work again"))
        }
        State::Held => Some(("endpoint_held", "probes open it when it answers again")),
        State::Disabled => Some(("endpoint_disabled", "enable it when its receiver is there again")),
        State::Active | State::Degraded => None,
    };
    let told = |endpoint: &EndpointHealth| {
        let (name, then) = closed(endpoint)?;
        let reason = endpoint.reason.as_deref().unwrap_or("no reason is noted");
        Some(found(name, format!("{} ({}): {reason}; {then}", endpoint.name, endpoint.host)))
    };
    let mut found: Vec<Finding> = health.endpoints.iter().filter_map(told).collect();
    found.extend(at_receivers(health, Severity::Error));
    found
}

/// What Make.com says of the webhooks behind the endpoints.
fn at_receivers(health: &Health, severity: Severity) -> Vec<Finding> {
    let watched = health.endpoints.iter().filter_map(|endpoint| Some((endpoint, endpoint.receiver.as_ref()?)));
    watched
        .flat_map(|(endpoint, receiver)| {
            let findings = receiver.findings.iter().filter(|finding| finding.severity == severity);
            findings.map(|found| Finding { name: found.name, detail: format!("{}: {}", endpoint.name, found.detail) })
        })
        .collect()
}

fn warnings(health: &Health) -> Vec<Finding> {
    let mut found = at_receivers(health, Severity::Warning);
    let mut warn = |name, detail| found.push(Finding { name, detail });
    for endpoint in health.endpoints.iter().filter(|endpoint| endpoint.state == State::Degraded) {
        warn(
            "endpoint_degraded",
            format!("{} ({}) failed {} times in a row", endpoint.name, endpoint.host, endpoint.failures),
        );
    }
    if health.parked > 0 {
        warn("deliveries_parked", format!("{} deliveries wait for their endpoint to open", health.parked));
    }
    if health.success_rate.is_some_and(|rate| rate < GOOD_RATE) {
        warn(
            "low_success_rate",
            format!("{} of {} attempts failed in 24 hours", health.failed, health.succeeded + health.failed),
        );
    }
    if health.queue_age_seconds > GOOD_AGE_S {
        warn("old_queue", format!("the oldest delivery has waited {} seconds", health.queue_age_seconds));
    }
    if health.average_response_ms.is_some_and(|ms| ms > GOOD_RESPONSE_MS) {
        warn("slow_endpoint", "the endpoints take more than two seconds to answer".into());
    }
    found
}
