//! Who calls, and what that lets them do. A tenant id reaches a handler only from here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    apikey::{ApiKey, Presented, Scope},
    error::{Error, Result},
    http::Call,
    id::{ClientId, TenantId},
    key,
    limit::{Limits, Rate},
    table::Table,
};

/// How long a process believes what it knows of an API key: so long does a revoked one live on.
const BELIEVE: SignedDuration = SignedDuration::from_secs(60);

/// What a person is in its tenant. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees itself.
    Agent,
    /// Sees its team.
    Supervisor,
    /// Sees the tenant.
    Owner,
    /// Of the platform.
    Admin,
}

/// A person who has signed in. Only [`Gate::person`], and who checks a token in its place, makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Person {
    /// The tenant it works for.
    pub tenant: TenantId,
    /// What it is there.
    pub role: Role,
    /// Its id with the issuer: also its agent id.
    pub subject: String,
    /// Its team.
    pub team: Option<String>,
    /// The one client that it is limited to.
    pub client: Option<ClientId>,
}

impl Person {
    /// The person that the claims of a checked token name: a claim is called `custom:<name>` or just `<name>`.
    pub(crate) fn of_claims<'c>(claim: impl Fn(&str) -> Option<&'c str>) -> Result<Self> {
        const BROKEN: Error = Error::Unauthenticated("the token lacks a tenant or a role");
        let claim =
            |name: &str| claim(&format!("custom:{name}")).or_else(|| claim(name)).filter(|value| !value.is_empty());
        let subject = claim("sub").ok_or(Error::Unauthenticated("sign in and send the token as a bearer token"))?;
        let role = claim("role").and_then(|role| serde_json::from_value(role.into()).ok());
        let client = match claim("client") {
            Some(client) => Some(client.parse().map_err(|_| BROKEN)?),
            None => None,
        };
        Ok(Self {
            tenant: claim("tenant").and_then(|tenant| tenant.parse().ok()).ok_or(BROKEN)?,
            role: role.ok_or(BROKEN)?,
            subject: subject.into(),
            team: claim("team").map(Into::into),
            client,
        })
    }

    /// The same, unless it is limited to one client: for what belongs to the tenant as a whole.
    pub fn of_whole_tenant(self) -> Result<Self> {
        match self.client {
            None => Ok(self),
            Some(_) => Err(Error::Forbidden("you are limited to one client, this belongs to the whole tenant")),
        }
    }
}

/// A program with an API key. Only [`Gate::machine`] makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Machine {
    /// The tenant it works for.
    pub tenant: TenantId,
    /// Its key, for limits and logs.
    pub key: crate::id::KeyId,
}

/// Checks callers and their limits.
#[derive(Clone)]
pub struct Gate {
    table: Table,
    limits: Limits,
    known: Arc<Mutex<HashMap<crate::id::KeyId, (ApiKey, Timestamp)>>>,
}

impl Gate {
    /// A gate in front of what the table holds.
    pub fn new(table: Table) -> Self {
        Self { table, limits: Limits::default(), known: Arc::default() }
    }

    /// The person whose token API Gateway has checked, if it is at least this in its tenant.
    pub async fn person(&self, call: &Call, at_least: Role) -> Result<Person> {
        let person = Person::of_claims(|name| call.claim(name))?;
        if person.role < at_least {
            return Err(Error::Forbidden("your role does not allow this"));
        }
        self.limits.pass(&self.table, call, person.tenant, &person.subject, Rate::CALLS).await?;
        Ok(person)
    }

    /// The machine whose API key came as a bearer token, if the key has this scope. Nothing is parsed before.
    pub async fn machine(&self, call: &Call, scope: Scope, rate: Rate) -> Result<Machine> {
        const WHO: Error = Error::Unauthenticated("send a valid API key as `Authorization: Bearer cdk_…`");
        let presented = call.bearer().and_then(Presented::read).ok_or(WHO)?;
        let key = self.api_key(&presented, call.now).await?.ok_or(WHO)?;
        if !key.admits(&presented, call.now) {
            return Err(WHO);
        }
        if !key.scopes.contains(&scope) {
            return Err(Error::Forbidden("this API key does not have the scope that the route needs"));
        }
        self.limits.pass(&self.table, call, key.tenant, &key.id.to_string(), rate).await?;
        Ok(Machine { tenant: key.tenant, key: key.id })
    }

    /// Lets a machine bring a batch: each element counts as a call, and the call itself was the first. To be asked
    /// before anything of the batch is stored.
    pub async fn batch(&self, call: &Call, machine: &Machine, rate: Rate, elements: usize) -> Result<()> {
        let more = u32::try_from(elements.saturating_sub(1)).unwrap_or(u32::MAX);
        self.limits.charge(&self.table, call, machine.tenant, &machine.key.to_string(), rate, more).await
    }

    async fn api_key(&self, presented: &Presented, now: Timestamp) -> Result<Option<ApiKey>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&presented.id).cloned();
        if let Some((key, at)) = known
            && now.duration_since(at) < BELIEVE
        {
            return Ok(Some(key));
        }
        let key = self.table.find(key::api_key(presented.tenant, presented.id)).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &key {
            Some(key) if known.len() < 10_000 => {
                known.insert(presented.id, (key.clone(), now));
            }
            _ => {
                known.remove(&presented.id);
            }
        }
        Ok(key)
    }

    /// Lets one call of an outside sender pass that proves itself in its own way.
    pub async fn sender(&self, call: &Call, tenant: TenantId, who: &str) -> Result<()> {
        self.limits.pass(&self.table, call, tenant, who, Rate::EVENTS).await
    }
}
