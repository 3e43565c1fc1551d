//! `GET /api/v1/endpoints/{id}/receiver`: what Make.com says of the webhook behind an endpoint.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    endpoint::{Endpoint, Holder, State},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::EndpointId,
    key,
    make::Account,
    receiver::{Finding, Hook, Receiver, Scenario, Severity},
    table::{Row, Table},
};
use utoipa::ToSchema;

/// What answering needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()? })
    }
}

/// What stands behind an endpoint at Make.com, and what follows from it.
#[derive(Serialize, ToSchema)]
pub struct ReceiverView {
    /// The endpoint.
    endpoint_id: EndpointId,
    /// Its state.
    endpoint_state: State,
    /// What holds it, while it is held.
    held_by: Option<Holder>,
    /// How much of its full pace it is sent, in percent.
    pace: u8,
    /// `working`, or the name of the worst finding.
    verdict: &'static str,
    /// The webhook; null where none is known.
    hook: Option<Hook>,
    /// How full its queue is, in percent.
    queue_fill: Option<u64>,
    /// The scenario that it starts; null where it has none, or the token does not see it.
    scenario: Option<Scenario>,
    /// When Make.com last said so.
    #[schema(value_type = Option<String>, format = DateTime)]
    seen_at: Option<Timestamp>,
    /// What was found, the worst first: `scenario_off`, `scenario_paused`, `scenario_invalid`, `hook_disabled`,
    /// `hook_gone`, `hook_unattached`, `queue_filling`, `queue_full`, `incomplete_runs`, `receiver_unknown`,
    /// `make_token_refused`, `no_hook`, `not_watched`.
    findings: Vec<Finding>,
}

/// What Make.com says of the webhook behind an endpoint: its queue, its scenario, and why a delivered event had no
/// effect. As it was at the last look, at most two minutes ago while all is well.
///
/// For supervisors and above. Where the tenant has given no account at Make.com, or the endpoint leads elsewhere, the
/// finding is `not_watched`.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints/{id}/receiver",
    operation_id = "receiver_get",
    tag = "receivers",
    params(("id" = EndpointId, Path, description = "The endpoint")),
    responses((status = 200, description = "What stands behind it", body = ReceiverView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let id: EndpointId = call.part("id", Endpoint::KIND)?;

    let (endpoint, receiver, account) = tokio::try_join!(
        deps.table.find_now(key::endpoint(tenant, id)),
        deps.table.find(key::receiver(tenant, id)),
        deps.table.find(key::make_account(tenant)),
    )?;
    let endpoint = endpoint.ok_or(Error::NotFound { kind: Endpoint::KIND })?;
    let account = account.filter(|account| account.ended_at.is_none());

    Ok(Reply::ok(view(endpoint, receiver, account.as_ref(), call.now)))
}

fn view(endpoint: Endpoint, receiver: Option<Receiver>, account: Option<&Account>, now: Timestamp) -> ReceiverView {
    let findings = findings(receiver.as_ref(), account, now);
    let (hook, scenario, seen_at) = match receiver {
        Some(receiver) => (receiver.hook, receiver.scenario, Some(receiver.seen_at)),
        None => (None, None, None),
    };
    let fill = |hook: &Hook| hook.queue_count?.saturating_mul(100).checked_div(hook.queue_limit?);
    ReceiverView {
        endpoint_id: endpoint.id,
        endpoint_state: endpoint.state,
        held_by: (endpoint.state == State::Held).then_some(endpoint.held_by),
        pace: endpoint.pace,
        verdict: findings.first().map_or("working", |finding| finding.name),
        queue_fill: hook.as_ref().and_then(fill),
        hook,
        scenario,
        seen_at,
        findings,
    }
}

/// What is known of the receiver, and what keeps it from being known.
fn findings(receiver: Option<&Receiver>, account: Option<&Account>, now: Timestamp) -> Vec<Finding> {
    let find = |name, severity, since, detail: &str| Finding { name, severity, since, detail: detail.into() };
    let Some(account) = account else {
        let detail = "no account at Make.com was given: give one with PUT /api/v1/make/account";
        return vec![find("not_watched", Severity::Info, None, detail)];
    };
    let mut found = match receiver {
        Some(receiver) => receiver.findings(now),
        None => {
            let detail = "its address is not one of Make.com, or it was not looked for yet";
            vec![find("not_watched", Severity::Info, None, detail)]
        }
    };
    if let Some(since) = account.refused_since {
        let why = account.failure.as_deref().unwrap_or("Make.com refuses the token");
        found.push(find("make_token_refused", Severity::Warning, Some(since), why));
    }
    found
}
