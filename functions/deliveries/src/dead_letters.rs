//! `GET /api/v1/dead-letters`: deliveries that nothing is tried for any more and that wait for a person.

use shared::{
    Result,
    delivery::State,
    gate::{Person, Role},
    http::{Call, Reply},
    id::EndpointId,
};

pub use crate::pages::Deps;
use crate::{
    list::{Code, Deliveries, Filter},
    pages::Paging,
};

/// The deliveries that have failed or that killed their worker, newest first, each with its last result.
///
/// For supervisors and above. `POST /api/v1/deliveries/{id}/retry` starts one again, `…/discard` puts it away.
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters",
    operation_id = "dead_letter_list",
    tag = "deliveries",
    params(
        ("endpoint" = Option<EndpointId>, Query, description = "Only to this endpoint"),
        ("event_type" = Option<String>, Query, description = "Only of this type; `booking.*` for all that begin so"),
        ("code" = Option<Code>, Query, description = "Only where the last answer was of this class"),
        ("from" = Option<String>, Query, format = DateTime, description = "Only of events accepted from then on"),
        ("to" = Option<String>, Query, format = DateTime, description = "Only of events accepted until then"),
        Paging,
    ),
    responses((status = 200, description = "A page of deliveries", body = Deliveries))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let mut given = call.parameters();
    let paging = Paging::read(&mut given);
    let filter = Filter::read(given, vec![State::Failed, State::Dead])?;

    filter.page(deps, &call, tenant, &paging).await
}
