//! `PUT /api/v1/alert-rules/{kind}`: when somebody should look.

use http::header;
use jiff::Timestamp;
use serde::Deserialize;
use shared::{
    Error, Result,
    alert::{Kind, Rule, Scope, Thresholds},
    gate::{Person, Role},
    http::{Call, Fields, Reply},
    id::ClientId,
    key,
    table::Created,
};
use utoipa::ToSchema;

use super::{Deps, MOST, RuleView, read, there_is, thresholds};

/// A rule. What is left out is usual.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form of what is read field by field")]
#[schema(as = NewAlertRule)]
pub struct NewRule {
    /// Those of its kind, as `GET /api/v1/alert-rules` shows them.
    #[schema(value_type = Option<Object>, example = json!({ "percent": 10, "min_runs": 20 }))]
    thresholds: Option<serde_json::Value>,
    /// `false`: what it holds for is not watched. `true` unless given.
    enabled: Option<bool>,
    /// Nobody is told until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    muted_until: Option<Timestamp>,
}

/// Makes a rule, or changes it as a whole: for a client, a scenario, or without both for all that have no narrower one.
///
/// For owners. `If-Match` names the version that was seen, `"0"` where nobody has made the rule yet: 428 without it, 412
/// where somebody has changed it since. It holds from the next evaluation on; rehearse it before.
#[utoipa::path(
    put,
    path = "/api/v1/alert-rules/{kind}",
    operation_id = "alert_rule_put",
    tag = "alerts",
    params(
        ("kind" = Kind, Path, description = "The kind of alert"),
        ("client_id" = Option<ClientId>, Query, description = "The client that it is for"),
        ("scenario_id" = Option<String>, Query, description = "The scenario that it is for"),
        ("If-Match" = String, Header, description = "The `etag` of the rule that was seen"),
    ),
    request_body = NewRule,
    responses((status = 200, description = "The rule as it is now", body = RuleView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let kind = read::kind(&call)?;
    let scope = read::scope(&call, kind)?;
    there_is(&deps.table, tenant, &scope).await?;
    let known = deps.table.find_now(key::alert_rule(tenant, kind, &scope)).await?;
    call.seen()?.includes(&known.as_ref().map_or_else(|| Rule::UNMADE.to_owned(), Rule::etag))?;
    let (thresholds, enabled, muted_until) = body(call.fields()?, kind)?;

    let rule = match known {
        Some(Rule { created_at, revision, .. }) => {
            let rule = Rule { tenant, scope, thresholds, enabled, muted_until, created_at, revision: revision + 1 };
            deps.table.replace(&rule, "revision", revision).await?.then_some(rule)
        }
        None => {
            if scope != Scope::Tenant && deps.table.list_all(&key::alert_rules(tenant)).await?.len() >= MOST {
                return Err(Error::conflict("a tenant has at most 500 rules"));
            }
            let rule = Rule { tenant, scope, thresholds, enabled, muted_until, created_at: call.now, revision: 1 };
            matches!(deps.table.create(&rule).await?, Created::New).then_some(rule)
        }
    };
    let view = RuleView::from(rule.ok_or(Error::Stale)?);
    Ok(Reply::ok(&view).header(header::ETAG, &view.etag))
}

fn body(mut body: Fields, kind: Kind) -> Result<(Thresholds, bool, Option<Timestamp>)> {
    let thresholds = thresholds(&mut body, Some(kind));
    let enabled = body.or("enabled", true);
    let muted_until = body.optional("muted_until");
    body.build(|| Some((thresholds?, enabled?, muted_until)))
}
