//! An automation as its tenant sees it.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Result,
    automation::{Automation, Runs},
    boot::{Aws, Missing},
    gate::Gate,
    http::Call,
    id::{AutomationId, EndpointId},
    key,
    table::Table,
};

/// An automation and the counts of its executions.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Automation)]
pub struct Shown {
    id: AutomationId,
    /// The template that it was made from.
    #[schema(example = "lead-to-crm")]
    template_id: String,
    /// The version that the template had then.
    template_version: u32,
    name: String,
    status: Status,
    /// The scenario behind it, as Make.com numbers it.
    make_scenario_id: Option<String>,
    /// Where executions are sent to.
    webhook_url: String,
    /// First eight hexadecimal digits of the secret's SHA-256: tells which secret holds.
    #[schema(example = "9f86d081")]
    secret_fingerprint: String,
    /// Until when the secret before it holds too, if it does.
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_secret_until: Option<Timestamp>,
    /// Where executions are forwarded to. Without it they go to the endpoints that subscribe to `automation.executed`.
    forwards_to: Option<Forward>,
    executions: Executions,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last activated or deactivated.
    #[schema(value_type = Option<String>, format = DateTime)]
    switched_at: Option<Timestamp>,
}

/// Whether an automation's webhook takes executions.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AutomationStatus)]
pub enum Status {
    /// It does.
    Active,
    /// It answers 409.
    Inactive,
}

/// The endpoint of an automation. Its address is a credential and is not shown.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AutomationForward)]
pub struct Forward {
    endpoint_id: EndpointId,
    #[schema(example = "hook.eu1.make.com")]
    host: Option<String>,
}

/// How often an automation was executed.
#[derive(Clone, Copy, Debug, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AutomationExecutions)]
pub struct Executions {
    /// Accepted by its webhook, each once however often it was sent.
    pub total: u64,
    /// Those that did not fail.
    pub successful: u64,
    /// Those whose forwarding failed for good.
    pub failed: u64,
    /// When the latest was accepted.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_at: Option<Timestamp>,
}

impl FromIterator<Runs> for Executions {
    fn from_iter<I: IntoIterator<Item = Runs>>(parts: I) -> Self {
        let mut sum = Self::default();
        for part in parts {
            sum.take(&part);
        }
        sum
    }
}

impl Executions {
    fn take(&mut self, part: &Runs) {
        self.total += part.accepted;
        self.failed += part.failed;
        self.successful = self.total.saturating_sub(self.failed);
        self.last_at = self.last_at.max(part.last_at);
    }
}

/// Shows automations of one tenant, with one look at all their counts.
pub async fn all(table: &Table, public_url: &str, automations: &[Automation]) -> Result<Vec<Shown>> {
    let ids = || automations.iter().map(|automation| automation.id);
    let (Some(any), Some(first), Some(last)) = (automations.first(), ids().min(), ids().max()) else {
        return Ok(Vec::new());
    };
    let mut counts: HashMap<AutomationId, Executions> = HashMap::new();
    for part in table.list_all(&key::runs_between(any.tenant, first, last)).await? {
        counts.entry(part.automation).or_default().take(&part);
    }
    let counted = |id| counts.get(&id).copied().unwrap_or_default();
    Ok(automations.iter().map(|automation| one(public_url, automation, counted(automation.id))).collect())
}

/// Shows one automation.
pub fn one(public_url: &str, automation: &Automation, executions: Executions) -> Shown {
    Shown {
        id: automation.id,
        template_id: automation.template.clone(),
        template_version: automation.template_version,
        name: automation.name.clone(),
        status: if automation.active { Status::Active } else { Status::Inactive },
        make_scenario_id: automation.make_scenario.clone(),
        webhook_url: webhook_url(public_url, automation.id),
        secret_fingerprint: automation.fingerprint.clone(),
        previous_secret_until: automation.previous.as_ref().map(|previous| previous.until),
        forwards_to: automation.endpoint.map(|endpoint_id| Forward { endpoint_id, host: automation.host.clone() }),
        executions,
        created_at: automation.created_at,
        switched_at: automation.switched_at,
    }
}

/// Where executions are sent to.
pub fn webhook_url(public_url: &str, automation: AutomationId) -> String {
    format!("{public_url}/api/v1/webhook/automation/{automation}")
}

/// What the use cases that show automations need.
pub struct Deps {
    /// Who may call.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Under which the outside reaches us, if it was given.
    pub public_url: String,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, public_url: aws.setting("PUBLIC_URL") })
    }

    /// Shows one automation with its counts as they are now.
    pub async fn show(&self, call: &Call, automation: &Automation) -> Result<Shown> {
        let counts = self.table.list_all(&key::runs_between(automation.tenant, automation.id, automation.id)).await?;
        Ok(one(&call.public_url(&self.public_url), automation, counts.into_iter().collect()))
    }
}
