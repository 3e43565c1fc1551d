//! `GET /api/v1/deliveries`: the log of deliveries, newest first.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::{
    Result,
    delivery::{Delivery, State},
    endpoint::fits,
    gate::{Person, Role},
    http::{Call, Fields, Reply},
    id::{DeliveryId, EndpointId, EventId, TenantId},
    key::{self, Range},
    trace::TraceId,
};
use utoipa::{IntoParams, ToSchema};

pub use crate::pages::Deps;
use crate::pages::{List, Paging};

/// Which deliveries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only in one of these states, separated by commas.
    #[param(value_type = Option<Vec<State>>, style = Form, explode = false, rename = "state")]
    states: Vec<State>,
    /// Only to this endpoint.
    endpoint: Option<EndpointId>,
    /// Only of this type of event; `booking.*` for all that begin so.
    event_type: Option<String>,
    /// Only where the last answer was of this class.
    code: Option<Code>,
    /// Only of events that were accepted from then on.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only of events that were accepted until then.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// The class of an answer's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub enum Code {
    /// It was taken.
    #[serde(rename = "2xx")]
    Success,
    /// It was sent elsewhere, which is not followed.
    #[serde(rename = "3xx")]
    Redirection,
    /// It was refused.
    #[serde(rename = "4xx")]
    Refusal,
    /// The receiver failed.
    #[serde(rename = "5xx")]
    Failure,
    /// There was no answer, or nothing was tried yet.
    #[serde(rename = "none")]
    None,
}

impl Code {
    fn has(self, status: Option<u16>) -> bool {
        match self {
            Self::Success => matches!(status, Some(200..=299)),
            Self::Redirection => matches!(status, Some(300..=399)),
            Self::Refusal => matches!(status, Some(400..=499)),
            Self::Failure => matches!(status, Some(500..=599)),
            Self::None => status.is_none(),
        }
    }
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
    /// The status of the last answer, where there was one.
    last_status: Option<u16>,
    /// Whether a person has started it again: what came of that stands in no figure of its endpoint.
    replay: bool,
    /// Why a person has cancelled or discarded it.
    reason: Option<String>,
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
            last_status: delivery.last_status,
            replay: delivery.replay,
            reason: delivery.reason,
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
    params(Filter, Paging),
    responses((status = 200, description = "A page of deliveries", body = Deliveries))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let mut given = call.parameters();
    let paging = Paging::read(&mut given);
    let states = states(&mut given);
    let filter = Filter::read(given, states)?;

    filter.page(deps, &call, tenant, &paging).await
}

fn states(given: &mut Fields) -> Vec<State> {
    let words: Option<String> = given.optional("state");
    let words = words.iter().flat_map(|words| words.split(','));
    words
        .filter_map(|word| {
            word.parse().inspect_err(|why| given.fault("state", format!("`{word}` is not valid: {why}"))).ok()
        })
        .collect()
}

impl Filter {
    /// What is left of the parameters, for deliveries in these states; none stands for all.
    pub(crate) fn read(mut given: Fields, states: Vec<State>) -> Result<Self> {
        let endpoint = given.optional("endpoint");
        let (event_type, code) = (given.optional("event_type"), given.optional("code"));
        let (from, to) = (given.optional::<Timestamp>("from"), given.optional("to"));
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            given.fault("to", "must not be before `from`");
        }
        given.build(|| Some(Self { states, endpoint, event_type, code, from, to }))
    }

    /// A page of what it lets through.
    pub(crate) async fn page(self, deps: &Deps, call: &Call, tenant: TenantId, paging: &Paging) -> Result<Reply> {
        let takes = |delivery: &Delivery| self.takes(delivery);
        let list = List {
            name: self.name(),
            range: self.range(tenant),
            takes: if self.is_open() { None } else { Some(&takes) },
            place: |delivery| delivery.id.to_string(),
        };

        let (shown, next_cursor) = list.page(deps, call, tenant, paging).await?;

        Ok(Reply::ok(Deliveries { deliveries: shown.into_iter().map(Into::into).collect(), next_cursor }))
    }

    /// The time alone bounds what is read.
    fn range(&self, tenant: TenantId) -> Range<Delivery> {
        match (self.from, self.to) {
            (None, None) => key::deliveries(tenant),
            (from, to) => {
                let (first, last) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
                key::deliveries_between(tenant, from.unwrap_or(first), to.unwrap_or(last))
            }
        }
    }

    fn is_open(&self) -> bool {
        self.states.is_empty() && self.endpoint.is_none() && self.event_type.is_none() && self.code.is_none()
    }

    fn takes(&self, delivery: &Delivery) -> bool {
        (self.states.is_empty() || self.states.contains(&delivery.state))
            && self.endpoint.is_none_or(|endpoint| delivery.endpoint == endpoint)
            && self.code.is_none_or(|code| code.has(delivery.last_status))
            && self.event_type.as_ref().is_none_or(|wanted| fits(wanted, &delivery.event_type))
    }

    /// What a cursor is bound to besides its tenant.
    fn name(&self) -> String {
        let Self { states, endpoint, event_type, code, from, to, .. } = self;
        format!("deliveries {states:?} {endpoint:?} {event_type:?} {code:?} {from:?} {to:?}")
    }
}
