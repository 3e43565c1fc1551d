//! How the deliveries of a tenant are doing: for the health answer of whoever sends events in.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::{
    Result,
    delivery::State,
    endpoint::{self, Endpoint, Holder},
    id::{EndpointId, TenantId},
    key,
    receiver::{Finding, Receiver},
    table::{Page, Table},
};
use utoipa::ToSchema;

/// How many of the latest deliveries are looked at for what still waits.
const LATEST: u16 = 200;
/// The most that waits and is counted.
const COUNTED: u16 = 1_000;

/// How the endpoints for some events are doing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Endpoints that want these events.
    pub endpoints: Vec<EndpointHealth>,
    /// Of all attempts in the last 24 hours: how many succeeded, from 0 to 1; null without any.
    pub success_rate: Option<f64>,
    /// Attempts that succeeded in the last 24 hours.
    pub succeeded: u64,
    /// Attempts that failed in the last 24 hours.
    pub failed: u64,
    /// Mean time of an attempt in the last 24 hours, in milliseconds.
    pub average_response_ms: Option<u64>,
    /// The last success in the last 24 hours.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_success_at: Option<Timestamp>,
    /// Age of the oldest of the latest 200 deliveries that is still to be tried, in seconds; 0 where none is.
    pub queue_age_seconds: u64,
    /// Deliveries that wait for an endpoint to be opened; 1000 stands for 1000 or more.
    pub parked: u64,
}

/// How one endpoint is doing.
#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointHealth {
    /// Its id.
    pub id: EndpointId,
    /// Its name.
    pub name: String,
    /// Its host.
    pub host: String,
    /// Its state.
    pub state: endpoint::State,
    /// What holds it, while it is held.
    pub held_by: Option<Holder>,
    /// How much of its full pace it is sent, in percent.
    pub pace: u8,
    /// Why it is in that state.
    pub reason: Option<String>,
    /// Failures since the last success.
    pub failures: u32,
    /// Deliveries that wait for it.
    pub parked: u64,
    /// What Make.com says of its webhook; null where nobody watches it.
    pub receiver: Option<ReceiverHealth>,
}

/// What Make.com says of the webhook behind an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceiverHealth {
    /// `working`, or the name of the worst finding.
    pub verdict: &'static str,
    /// The scenario that it starts.
    pub scenario: Option<String>,
    /// Requests that wait in its queue: Make.com has answered them with 200, and they have had no effect yet.
    pub queue_count: Option<u64>,
    /// The most that its queue holds.
    pub queue_limit: Option<u64>,
    /// Why a delivered event has no effect, or may soon have none; the worst first.
    pub findings: Vec<Finding>,
    /// When Make.com last said so.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
}

/// Of the endpoints that want any of these types of event.
pub async fn of(table: &Table, tenant: TenantId, event_types: &[&str], now: Timestamp) -> Result<Health> {
    let mut endpoints = table.list_all(&key::endpoints(tenant)).await?;
    endpoints.retain(|endpoint| event_types.iter().any(|event_type| endpoint.wants(event_type)));
    let receivers = if endpoints.is_empty() { Vec::new() } else { table.list_all(&key::receivers(tenant)).await? };

    let mut health = Health {
        endpoints: Vec::new(),
        success_rate: None,
        succeeded: 0,
        failed: 0,
        average_response_ms: None,
        last_success_at: None,
        queue_age_seconds: queue_age(table, tenant, now).await?,
        parked: 0,
    };
    let mut took_ms = 0;
    for endpoint in endpoints {
        let day = key::hours(tenant, endpoint.id, now - SignedDuration::from_hours(24), now);
        for hour in table.list_all(&day).await? {
            health.succeeded += hour.succeeded;
            health.failed += hour.failed;
            took_ms += hour.took_ms;
            health.last_success_at = health.last_success_at.max(hour.last_success_at);
        }
        let parked = table.list_index(&key::all_parked(tenant, endpoint.id), COUNTED).await?.len() as u64;
        health.parked += parked;
        let receiver = receivers.iter().find(|receiver| receiver.endpoint == endpoint.id);
        let receiver = receiver.map(|receiver| behind(receiver, now));
        health.endpoints.push(shown(endpoint, parked, receiver));
    }
    let attempts = health.succeeded + health.failed;
    if attempts > 0 {
        health.success_rate = Some(health.succeeded as f64 / attempts as f64);
        health.average_response_ms = Some(took_ms / attempts);
    }
    Ok(health)
}

async fn queue_age(table: &Table, tenant: TenantId, now: Timestamp) -> Result<u64> {
    let page = Page { newest_first: true, ..Page::first(LATEST) };
    let latest = table.list(&key::deliveries(tenant), page).await?.rows;
    // What a person has started again is old, and says nothing of how long anything waits.
    let waiting = latest.iter().filter(|delivery| delivery.state == State::Pending && !delivery.replay);
    let oldest = waiting.map(|delivery| delivery.accepted_at).min();
    Ok(oldest.map_or(0, |at| now.duration_since(at).as_secs().max(0).unsigned_abs()))
}

fn shown(endpoint: Endpoint, parked: u64, receiver: Option<ReceiverHealth>) -> EndpointHealth {
    EndpointHealth {
        id: endpoint.id,
        name: endpoint.name,
        host: endpoint.host,
        state: endpoint.state,
        held_by: (endpoint.state == endpoint::State::Held).then_some(endpoint.held_by),
        pace: endpoint.pace,
        reason: endpoint.reason,
        failures: endpoint.failures,
        parked,
        receiver,
    }
}

fn behind(receiver: &Receiver, now: Timestamp) -> ReceiverHealth {
    let hook = receiver.hook.as_ref();
    ReceiverHealth {
        verdict: receiver.verdict(now),
        scenario: receiver.scenario.as_ref().map(|scenario| scenario.name.clone()),
        queue_count: hook.and_then(|hook| hook.queue_count),
        queue_limit: hook.and_then(|hook| hook.queue_limit),
        findings: receiver.findings(now),
        seen_at: receiver.seen_at,
    }
}
