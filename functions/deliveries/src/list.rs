//! `GET /api/v1/deliveries`: the log of deliveries, newest first.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    cursor,
    delivery::{Delivery, State},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::{DeliveryId, EndpointId, EventId, TenantId},
    key,
    secrets::Vault,
    table::{Page, Table},
    trace::TraceId,
};
use utoipa::{IntoParams, ToSchema};

/// For one page of a filtered list so many rows are read at a time, and so many times at most.
const PAGE: u16 = 100;
const MOST_PAGES: usize = 10;

/// What listing needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that authenticate cursors.
    pub vault: Vault,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()? })
    }
}

/// Which deliveries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only in this state.
    #[param(value_type = Option<State>)]
    state: Option<State>,
    /// Only to this endpoint.
    endpoint: Option<EndpointId>,
    /// Only of this type of event.
    event_type: Option<String>,
    /// At most so many, 1 to 100.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100)]
    limit: u16,
    /// Where an earlier page ended: its `next_cursor`.
    cursor: Option<String>,
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    /// The deliveries, newest first.
    deliveries: Vec<DeliveryView>,
    /// Goes on from here; null at the end. A filtered page may hold fewer than asked for, and still have a next one.
    next_cursor: Option<String>,
}

/// A delivery, as it is shown.
#[derive(Serialize, ToSchema)]
pub struct DeliveryView {
    /// Its id: the `webhook-id` of every attempt.
    id: DeliveryId,
    /// What is delivered.
    event_id: EventId,
    /// Its type.
    event_type: String,
    /// To where.
    endpoint_id: EndpointId,
    /// How far it is.
    state: State,
    /// Attempts made.
    attempts: u32,
    /// When its event was accepted.
    #[schema(value_type = String, format = DateTime)]
    accepted_at: Timestamp,
    /// When it is tried next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// How the last attempt ended.
    last_result: Option<String>,
    /// What ties it to its event and to what follows.
    trace_id: TraceId,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event,
            event_type: delivery.event_type,
            endpoint_id: delivery.endpoint,
            state: delivery.state,
            attempts: delivery.attempts,
            accepted_at: delivery.accepted_at,
            next_attempt_at: delivery.due_at,
            ended_at: delivery.ended_at,
            last_result: delivery.last,
            trace_id: delivery.trace,
        }
    }
}

/// The deliveries of the tenant, newest first, with the state of each.
///
/// For supervisors and above.
#[utoipa::path(
    get,
    path = "/api/v1/deliveries",
    operation_id = "delivery_list",
    tag = "deliveries",
    params(Filter),
    responses((status = 200, description = "A page of deliveries", body = Deliveries))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let filter = Filter::read(&call)?;
    let keyring = deps.vault.keyring().await?;
    let list = filter.name();
    let after = match &filter.cursor {
        Some(cursor) => Some(cursor::read(&keyring, tenant, &list, cursor, call.now)?),
        None => None,
    };

    let (shown, more) = look(&deps.table, tenant, &filter, after).await?;

    Ok(Reply::ok(Deliveries {
        next_cursor: more.map(|after| cursor::write(&keyring, tenant, &list, &after, call.now)).transpose()?,
        deliveries: shown.into_iter().map(Into::into).collect(),
    }))
}

/// The deliveries of a page, and the sort key behind which the next one begins.
async fn look(
    table: &Table,
    tenant: TenantId,
    filter: &Filter,
    after: Option<String>,
) -> Result<(Vec<Delivery>, Option<String>)> {
    let wanted = usize::from(filter.limit);
    // What is filtered out is read in large pages, or a rare state would take a query for each row.
    let size = if filter.is_open() { filter.limit } else { PAGE };
    let mut page = Page { limit: size, after, newest_first: true };
    let mut shown = Vec::new();
    for _ in 0..MOST_PAGES {
        let found = table.list(&key::deliveries(tenant), page.clone()).await?;
        shown.extend(found.rows.into_iter().filter(|delivery| filter.takes(delivery)));
        if shown.len() > wanted {
            shown.truncate(wanted);
            let last = shown.last().map(|delivery| delivery.id.to_string());
            return Ok((shown, last));
        }
        match found.more {
            Some(after) if shown.len() < wanted => page.after = Some(after),
            more => return Ok((shown, more)),
        }
    }
    Ok((shown, page.after))
}

impl Filter {
    fn read(call: &Call) -> Result<Self> {
        let mut given = call.parameters();
        let limit = given.parsed::<u16>("limit");
        let (state, endpoint) = (given.optional("state"), given.optional("endpoint"));
        let (event_type, cursor) = (given.optional("event_type"), given.optional("cursor"));
        if limit.is_some_and(|limit| !(1..=100).contains(&limit)) {
            given.fault("limit", "must be from 1 to 100");
        }
        given.build(|| Some(Self { state, endpoint, event_type, limit: limit.unwrap_or(25), cursor }))
    }

    fn is_open(&self) -> bool {
        self.state.is_none() && self.endpoint.is_none() && self.event_type.is_none()
    }

    fn takes(&self, delivery: &Delivery) -> bool {
        self.state.is_none_or(|state| delivery.state == state)
            && self.endpoint.is_none_or(|endpoint| delivery.endpoint == endpoint)
            && self.event_type.as_ref().is_none_or(|wanted| delivery.event_type == *wanted)
    }

    /// What a cursor is bound to besides its tenant.
    fn name(&self) -> String {
        format!("deliveries {:?} {:?} {:?}", self.state, self.endpoint, self.event_type)
    }
}
