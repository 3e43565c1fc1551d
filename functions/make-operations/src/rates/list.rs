//! `GET /api/v1/make-operations/rates`: the prices of credits.

use serde::Serialize;
use shared::{
    Result,
    gate::Role,
    http::{Call, Reply},
    key,
};

use super::{Deps, Shown};

/// Prices.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageRates)]
pub struct Rates {
    /// Those of all, and of clients, by the day that they begin.
    rates: Vec<Shown>,
}

/// The prices of credits: past, present and future. People who are limited to a client see its own.
#[utoipa::path(
    get,
    path = "/api/v1/make-operations/rates",
    operation_id = "make_operations_rates",
    tag = "make-operations",
    responses((status = 200, description = "The prices", body = Rates))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Supervisor).await?;
    let rates = deps.table.list_all(&key::rates(person.tenant)).await?.into_iter();
    let visible = rates.filter(|rate| person.client.is_none_or(|own| rate.client == Some(own)));
    Ok(Reply::ok(Rates { rates: visible.map(Shown::from).collect() }))
}
