//! Rules: when somebody should look, for the tenant, a client or a scenario; the narrowest holds.

pub mod delete;
pub mod list;
pub mod put;
mod read;
mod shown;

use std::collections::HashMap;

use jiff::Timestamp;
use shared::{
    Error, Result,
    alert::{Kind, Rule, Scope, Subject, Thresholds, Which},
    boot::{Aws, Missing},
    gate::Gate,
    id::{ClientId, TenantId},
    key,
    scenario::Scenario,
    table::{Row, Table},
    tenant::Client,
};

pub use read::{scope_of_body, thresholds};
pub use shown::RuleView;

/// A tenant makes so many rules at most.
pub const MOST: usize = 500;

/// What working with rules needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
}

impl Deps {
    /// What the functions are wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()? })
    }
}

/// The rules of a tenant.
pub struct Rules {
    made: HashMap<(Kind, Scope), Rule>,
    usual: HashMap<Kind, Thresholds>,
}

/// A rule that holds.
pub struct InForce<'r> {
    /// When it is broken.
    pub thresholds: &'r Thresholds,
    /// Nobody is told until then.
    pub muted_until: Option<Timestamp>,
}

impl From<Vec<Rule>> for Rules {
    fn from(rules: Vec<Rule>) -> Self {
        Self {
            made: rules.into_iter().map(|rule| ((rule.thresholds.kind(), rule.scope.clone()), rule)).collect(),
            usual: Kind::ALL.map(|kind| (kind, Thresholds::usual(kind))).into(),
        }
    }
}

impl Rules {
    /// Those of a tenant.
    pub async fn read(table: &Table, tenant: TenantId) -> Result<Self> {
        Ok(table.list_all(&key::alert_rules(tenant)).await?.into())
    }

    /// The one that holds for a subject, unless it is off: its scenario's, else its client's, else the tenant's, else the
    /// usual one.
    pub fn on(&self, kind: Kind, subject: &Subject) -> Option<InForce<'_>> {
        match scopes(subject).find_map(|scope| self.made.get(&(kind, scope))) {
            Some(rule) => {
                rule.enabled.then_some(InForce { thresholds: &rule.thresholds, muted_until: rule.muted_until })
            }
            None => Some(InForce { thresholds: self.usual.get(&kind)?, muted_until: None }),
        }
    }

    /// Whether one for a scope would hold for a subject in it: nobody has made a narrower one.
    pub fn leave(&self, kind: Kind, subject: &Subject, to: &Scope) -> bool {
        !scopes(subject).take_while(|scope| scope != to).any(|scope| self.made.contains_key(&(kind, scope)))
    }
}

/// The scopes that hold a subject, the narrowest first.
fn scopes(subject: &Subject) -> impl Iterator<Item = Scope> {
    let scenario = subject.scenario.as_ref().filter(|which| which.by_id);
    let scenario = scenario.map(|Which { scenario, .. }| Scope::Scenario(scenario.clone()));
    let client = subject.owner.client().map(Scope::Client);
    [scenario, client, Some(Scope::Tenant)].into_iter().flatten()
}

/// 404 where a scope is of something that the tenant does not have.
pub async fn there_is(table: &Table, tenant: TenantId, scope: &Scope) -> Result<()> {
    let missing = match scope {
        Scope::Tenant => None,
        Scope::Client(client) => table.find(key::client(tenant, *client)).await?.is_none().then_some(Client::KIND),
        Scope::Scenario(id) => table.find(key::scenario(tenant, id)).await?.is_none().then_some(Scenario::KIND),
    };
    missing.map_or(Ok(()), |kind| Err(Error::NotFound { kind }))
}

/// The client and the scenario of a scope, as they are written.
pub fn parts(scope: &Scope) -> (Option<ClientId>, Option<String>) {
    match scope {
        Scope::Tenant => (None, None),
        Scope::Client(client) => (Some(*client), None),
        Scope::Scenario(id) => (None, Some(id.clone())),
    }
}
