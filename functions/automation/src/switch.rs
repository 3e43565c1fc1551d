//! Switching automations on and off.

use shared::{
    Result,
    automation::Automation,
    gate::Role,
    http::{Call, Reply},
    id::{AutomationId, TenantId},
    idempotency, key,
    table::Row,
};

use crate::shown::Deps;

/// Turns the automation of the route on or off, and shows it.
pub async fn turn(deps: &Deps, call: Call, on: bool) -> Result<Reply> {
    let owner = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: AutomationId = call.part("id", Automation::KIND)?;

    idempotency::once(&deps.table, &call, owner.tenant, &owner.subject, async || {
        let automation = turned(deps, &call, owner.tenant, id, on).await?;
        Ok(Reply::ok(deps.show(&call, &automation).await?))
    })
    .await
}

async fn turned(deps: &Deps, call: &Call, tenant: TenantId, id: AutomationId, on: bool) -> Result<Automation> {
    let automation = deps.table.get(key::automation(tenant, id)).await?;
    if automation.active == on {
        return Ok(automation);
    }
    let switch = deps
        .table
        .change(key::automation(tenant, id))
        .set("active", on)
        .set("switched_at", call.now)
        .when("active", !on);
    let tally = deps.table.change(key::automation_tally(tenant)).add("active", if on { 1 } else { -1 }).when_there();
    // Where the condition does not hold, somebody else has just done the same.
    deps.table.transact().change(switch).change(tally).send().await?;
    deps.table.get(key::automation(tenant, id)).await
}
