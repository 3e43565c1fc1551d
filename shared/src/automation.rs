//! An automation: a template that a tenant has put to work; and the counts of its executions.
//!
//! An execution is counted right after its event is stored, and only when it is new. A function that is killed between
//! the two leaves it uncounted: counts are never too high. They stand apart from the automation, so that its entry in
//! the sparse index is not written again with each execution, and in [`SHARDS`] rows, so that many senders at once do
//! not meet in one.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    endpoint::Previous,
    error::Result,
    event::{Content, Event},
    id::{AutomationId, EndpointId, EventId, TenantId},
    key::{self, Index, Key},
    secrets::{Keyring, Sealed},
    table::{Row, Table},
};

/// The type of the event that an execution is.
pub const EXECUTED: &str = "automation.executed";
/// How many rows the counts of one automation are spread over.
pub const SHARDS: u8 = 4;
/// How many automations a tenant may have.
pub const MOST: u32 = 100;

/// A template that a tenant has put to work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Automation {
    /// Whose.
    pub tenant: TenantId,
    /// Its id.
    pub id: AutomationId,
    /// The template that it was made from.
    pub template: String,
    /// The version that the template had then.
    pub template_version: u32,
    /// What people call it.
    pub name: String,
    /// Whether its webhook takes executions.
    pub active: bool,
    /// The scenario behind it, as Make.com numbers it.
    pub make_scenario: Option<String>,
    /// Where executions are forwarded to.
    pub endpoint: Option<EndpointId>,
    /// The host of that endpoint, to be shown.
    pub host: Option<String>,
    /// Proves who sends executions.
    pub secret: Sealed,
    /// First characters of the secret's SHA-256.
    pub fingerprint: String,
    /// Proves it too, until it ends.
    pub previous: Option<Previous>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last switched on or off.
    pub switched_at: Option<Timestamp>,
}

impl Row for Automation {
    const KIND: &'static str = "automation";

    fn key(&self) -> Key<Self> {
        key::automation(self.tenant, self.id)
    }

    fn index(&self) -> Option<Index> {
        Some(key::automation_of_any_tenant(self.id))
    }
}

impl Automation {
    /// Seals a secret of this automation.
    pub fn seal(keyring: &Keyring, tenant: TenantId, id: AutomationId, secret: &SecretString) -> Result<Sealed> {
        keyring.seal([&tenant.to_string(), &id.to_string(), "secret"], secret)
    }

    /// The secrets that hold at a moment, the current one first.
    pub fn secrets(&self, keyring: &Keyring, now: Timestamp) -> Result<Vec<SecretString>> {
        let (tenant, id) = (self.tenant.to_string(), self.id.to_string());
        let previous = self.previous.as_ref().filter(|previous| now < previous.until);
        std::iter::once(&self.secret)
            .chain(previous.map(|previous| &previous.secret))
            .map(|sealed| keyring.open([&tenant, &id, "secret"], sealed))
            .collect()
    }
}

/// How many automations a tenant has. Changed together with them, in one transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tally {
    /// Whose.
    pub tenant: TenantId,
    /// All.
    #[serde(default)]
    pub total: u32,
    /// Those that are active.
    #[serde(default)]
    pub active: u32,
}

impl Row for Tally {
    const KIND: &'static str = "automation_tally";

    fn key(&self) -> Key<Self> {
        key::automation_tally(self.tenant)
    }
}

/// A part of the counts of one automation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Runs {
    /// Whose.
    pub tenant: TenantId,
    /// Of which automation.
    pub automation: AutomationId,
    /// Which part.
    pub shard: u8,
    /// Executions that were accepted.
    #[serde(default)]
    pub accepted: u64,
    /// Those of them whose forwarding failed for good.
    #[serde(default)]
    pub failed: u64,
    /// The latest that was accepted.
    pub last_at: Option<Timestamp>,
}

impl Row for Runs {
    const KIND: &'static str = "automation_runs";

    fn key(&self) -> Key<Self> {
        key::runs(self.tenant, self.automation, self.shard)
    }
}

/// Counts a new execution.
pub async fn accepted(
    table: &Table,
    tenant: TenantId,
    automation: AutomationId,
    event: EventId,
    at: Timestamp,
) -> Result<()> {
    count(table, tenant, automation, event, "accepted", Some(at)).await
}

/// Counts an execution whose forwarding failed for good. Nothing for events of another kind.
pub async fn failed(table: &Table, event: &Event) -> Result<()> {
    match event.content {
        Content::Automation { automation, .. } => {
            count(table, event.tenant, automation, event.id, "failed", None).await
        }
        Content::Booking { .. } | Content::Alert { .. } => Ok(()),
    }
}

async fn count(
    table: &Table,
    tenant: TenantId,
    automation: AutomationId,
    event: EventId,
    what: &str,
    at: Option<Timestamp>,
) -> Result<()> {
    let shard = event.as_bytes()[15] % SHARDS;
    let change = table
        .change(key::runs(tenant, automation, shard))
        .or_new()
        .set("tenant", tenant)
        .set("automation", automation)
        .set("shard", shard)
        .add(what, 1);
    let change = match at {
        Some(at) => change.set("last_at", at),
        None => change,
    };
    change.send().await?;
    Ok(())
}
