//! `GET /api/v1/alert-rules`: the rules that hold.

use serde::Serialize;
use shared::{
    Result,
    alert::{Kind, Rule, Scope, Thresholds},
    gate::Role,
    http::{Call, Reply},
    key,
};
use utoipa::ToSchema;

use super::{Deps, RuleView};

/// Rules.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertRules)]
pub struct Shown {
    /// Those of the tenant, one of each kind, made or not; then those that somebody has made for a client or a scenario.
    rules: Vec<RuleView>,
}

/// The rules that alerts follow. Of several that hold for a scenario its own does, else its client's, else the tenant's.
#[utoipa::path(
    get,
    path = "/api/v1/alert-rules",
    operation_id = "alert_rule_list",
    tag = "alerts",
    responses((status = 200, description = "The rules", body = Shown))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let made = deps.table.list_all(&key::alert_rules(person.tenant)).await?;
    let (all, narrow): (Vec<Rule>, Vec<Rule>) = made.into_iter().partition(|rule| rule.scope == Scope::Tenant);
    let of_all = |kind: Kind| {
        let made = all.iter().find(|rule| rule.thresholds.kind() == kind).cloned();
        made.map_or_else(|| RuleView::usual(&Scope::Tenant, Thresholds::usual(kind)), RuleView::from)
    };
    let rules = Kind::ALL.into_iter().map(of_all).chain(narrow.into_iter().map(RuleView::from)).collect();
    Ok(Reply::ok(Shown { rules }))
}
