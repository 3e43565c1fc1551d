//! The rows that a trace leads to: its events, their deliveries, their attempts, and what receivers said.

use std::collections::HashMap;

use futures::future::try_join_all;
use shared::{
    Result,
    delivery::{self, Attempt, Delivery},
    endpoint::Endpoint,
    event::Event,
    id::{EndpointId, TenantId},
    key,
    live::Numbered,
    outcome::Outcome,
    table::{Page, Table},
    trace::TraceId,
};

/// So many events of a trace are told.
const EVENTS: usize = 10;
/// So many deliveries of all of them.
const DELIVERIES: usize = 50;
/// So many attempts of each.
const ATTEMPTS: u16 = 50;
/// So many outcomes.
const OUTCOMES: u16 = 100;
/// Deliveries of one moment that are looked through for those of one event.
const OF_A_MOMENT: u16 = 100;

/// What is known of a trace.
pub struct Story {
    /// Its events, the first accepted first.
    pub events: Vec<Happened>,
    /// Every endpoint of the tenant that an event of it may have gone to.
    pub endpoints: HashMap<EndpointId, Endpoint>,
    /// What receivers said.
    pub outcomes: Vec<Outcome>,
    /// Whether there is more.
    pub truncated: bool,
}

/// An event, and what came of it.
pub struct Happened {
    /// The event.
    pub event: Event,
    /// Its numbers.
    pub numbered: Numbered,
    /// Its deliveries, with their attempts from first to last.
    pub deliveries: Vec<(Delivery, Vec<Attempt>)>,
}

impl Story {
    /// Reads it; nothing where the tenant has no such trace.
    pub async fn read(table: &Table, tenant: TenantId, trace: TraceId) -> Result<Option<Self>> {
        let numbered = table.list(&key::events_of(tenant, trace), Page::first(EVENTS as u16)).await?;
        if numbered.rows.is_empty() {
            return Ok(None);
        }
        let mut truncated = numbered.more.is_some();
        let mut endpoints = by_id(table.list_all(&key::endpoints(tenant)).await?);
        let events = try_join_all(numbered.rows.iter().map(|row| table.find(key::event(tenant, row.event)))).await?;
        let targets = events.iter().flatten().filter_map(|event| event.to).filter(|to| !endpoints.contains_key(to));
        let targets = try_join_all(targets.map(|to| table.find(key::endpoint(tenant, to)))).await?;
        endpoints.extend(by_id(targets.into_iter().flatten().collect()));

        let mut happened = Vec::new();
        let mut left = DELIVERIES;
        for (event, numbered) in events.into_iter().zip(numbered.rows) {
            let Some(event) = event else { continue };
            let mut deliveries = deliveries(table, &event, &endpoints).await?;
            truncated |= deliveries.len() > left;
            deliveries.truncate(left);
            left -= deliveries.len();
            let attempts = try_join_all(deliveries.iter().map(|delivery| attempts(table, delivery))).await?;
            truncated |= attempts.iter().any(|(_, more)| *more);
            let deliveries = deliveries.into_iter().zip(attempts.into_iter().map(|(attempts, _)| attempts)).collect();
            happened.push(Happened { event, numbered, deliveries });
        }
        happened.sort_by_key(|happened| happened.event.accepted_at);
        let outcomes = table.list(&key::outcomes(tenant, trace), Page::first(OUTCOMES)).await?;
        truncated |= outcomes.more.is_some();
        Ok(Some(Self { events: happened, endpoints, outcomes: outcomes.rows, truncated }))
    }
}

fn by_id(endpoints: Vec<Endpoint>) -> HashMap<EndpointId, Endpoint> {
    endpoints.into_iter().map(|endpoint| (endpoint.id, endpoint)).collect()
}

/// The deliveries of an event, to endpoints that are gone too: their ids begin with the moment of its acceptance. Where
/// that moment has too many, as when many events were made at once, those to the endpoints that there are.
async fn deliveries(table: &Table, event: &Event, endpoints: &HashMap<EndpointId, Endpoint>) -> Result<Vec<Delivery>> {
    let at = event.accepted_at;
    let moment = key::deliveries_between(event.tenant, at, at);
    let found = table.list(&moment, Page::first(OF_A_MOMENT)).await?;
    let mut rows = found.rows;
    if found.more.is_some() {
        let ids = endpoints.keys().map(|endpoint| delivery::identity(event, *endpoint));
        let keys: Vec<_> = ids.take(OF_A_MOMENT.into()).map(|id| key::delivery(event.tenant, id)).collect();
        rows = table.find_all(&keys).await?;
    }
    rows.retain(|delivery| delivery.event == event.id);
    rows.sort_by_key(|delivery| delivery.id);
    Ok(rows)
}

/// The first attempts of a delivery, and whether there are more.
async fn attempts(table: &Table, delivery: &Delivery) -> Result<(Vec<Attempt>, bool)> {
    let found = table.list(&key::attempts(delivery.tenant, delivery.id), Page::first(ATTEMPTS)).await?;
    Ok((found.rows, found.more.is_some()))
}
