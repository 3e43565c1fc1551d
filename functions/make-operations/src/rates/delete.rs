//! `DELETE /api/v1/make-operations/rates/{from}`: a price that has not begun does not begin.

use shared::{
    Error, Result,
    gate::Role,
    http::{Call, Reply},
    key,
    rate::Rate,
    table::Row,
    tenant,
};

use super::{Deps, Shown};
use crate::day;

/// Takes back a price that has not begun. One that holds already has made costs: it ends where a new one begins.
#[utoipa::path(
    delete,
    path = "/api/v1/make-operations/rates/{from}",
    operation_id = "make_operations_rate_delete",
    tag = "make-operations",
    params(
        ("from" = String, Path, description = "The day that it would begin, `YYYY-MM-DD`"),
        ("client_id" = Option<String>, Query, description = "The client that it is for; the price of all unless given"),
    ),
    responses((status = 200, description = "The price that does not begin", body = Shown))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let owner = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let mut query = call.parameters();
    let client = query.parsed("client_id");
    query.build(|| Some(()))?;
    let from = call.part("from", Rate::KIND)?;
    let rate = deps.table.get(key::rate(owner.tenant, client, from)).await?;
    if rate.from <= day::today(&tenant::zone(&deps.table, owner.tenant).await?, call.now) {
        return Err(Error::conflict("this price holds already: make a new one that begins today or later"));
    }
    deps.table.delete(rate.key()).await?;
    Ok(Reply::ok(Shown::from(rate)))
}
