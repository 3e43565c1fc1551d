//! `DELETE /api/v1/alert-rules/{kind}`: what is usual, or the wider rule, holds again.

use shared::{
    Error, Result,
    alert::{Kind, Rule},
    gate::{Person, Role},
    http::{Call, Reply},
    id::ClientId,
    key,
    table::Row,
};

use super::{Deps, RuleView, read};

/// Takes a rule back: the next wider one holds again, or what is usual.
///
/// For owners. `If-Match` names the version that was seen: 428 without it, 412 where somebody has changed it since.
#[utoipa::path(
    delete,
    path = "/api/v1/alert-rules/{kind}",
    operation_id = "alert_rule_delete",
    tag = "alerts",
    params(
        ("kind" = Kind, Path, description = "The kind of alert"),
        ("client_id" = Option<ClientId>, Query, description = "The client that it is for"),
        ("scenario_id" = Option<String>, Query, description = "The scenario that it is for"),
        ("If-Match" = String, Header, description = "The `etag` of the rule that was seen"),
    ),
    responses((status = 200, description = "The rule that does not hold any more", body = RuleView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let kind = read::kind(&call)?;
    let scope = read::scope(&call, kind)?;
    let rule: Rule = deps.table.get(key::alert_rule(tenant, kind, &scope)).await?;
    call.seen()?.includes(&rule.etag())?;
    match deps.table.delete_seen(rule.key(), "revision", rule.revision).await? {
        true => Ok(Reply::ok(RuleView::from(rule))),
        false => Err(Error::Stale),
    }
}
