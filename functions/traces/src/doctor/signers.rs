//! Whose secrets a request may be signed with.

use std::fmt;

use jiff::Timestamp;
use secrecy::SecretString;
use shared::{
    Result,
    automation::Automation,
    endpoint::{Endpoint, Previous},
    id::{AutomationId, EndpointId, TenantId},
    key,
    secrets::{Keyring, Sealed, fingerprint},
    sign,
    table::{Page, Table},
};

/// So many other endpoints are looked at, and so many other automations.
pub const MOST: u16 = 20;

/// An endpoint or an automation, with its secrets.
pub struct Signer {
    /// Which.
    pub who: Who,
    name: String,
    /// The secret that holds, and the one before it.
    pub secrets: Vec<Secret>,
}

/// Which endpoint or automation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// An endpoint.
    Endpoint(EndpointId),
    /// An automation.
    Automation(AutomationId),
}

/// A secret of a signer.
pub struct Secret {
    /// The secret.
    pub text: SecretString,
    /// When it ends, or ended, where it is the one before.
    pub until: Option<Timestamp>,
}

impl Signer {
    /// An endpoint.
    pub fn endpoint(keyring: &Keyring, endpoint: Endpoint) -> Result<Self> {
        let Endpoint { tenant, id, name, secret, previous, .. } = endpoint;
        let secrets = opened(keyring, tenant, id.to_string(), &secret, previous.as_ref())?;
        Ok(Self { who: Who::Endpoint(id), name, secrets })
    }

    /// An automation.
    pub fn automation(keyring: &Keyring, automation: Automation) -> Result<Self> {
        let Automation { tenant, id, name, secret, previous, .. } = automation;
        let secrets = opened(keyring, tenant, id.to_string(), &secret, previous.as_ref())?;
        Ok(Self { who: Who::Automation(id), name, secrets })
    }

    /// The secrets that hold at a moment.
    pub fn holding(&self, at: Timestamp) -> Vec<SecretString> {
        let holds = |secret: &&Secret| secret.until.is_none_or(|until| at < until);
        self.secrets.iter().filter(holds).map(|secret| secret.text.clone()).collect()
    }

    /// Which of its secrets was sent as it is.
    pub fn presented(&self, given: &str) -> Option<&Secret> {
        self.secrets.iter().find(|secret| sign::is_one_of(std::slice::from_ref(&secret.text), given.as_bytes()))
    }

    /// The first characters of the SHA-256 of its present secret.
    pub fn fingerprint(&self) -> String {
        self.secrets.first().map(|secret| fingerprint(&secret.text)).unwrap_or_default()
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.who {
            Who::Endpoint(id) => write!(f, "the endpoint {:?} ({id})", self.name),
            Who::Automation(id) => write!(f, "the automation {:?} ({id})", self.name),
        }
    }
}

fn opened(
    keyring: &Keyring,
    tenant: TenantId,
    owner: String,
    secret: &Sealed,
    previous: Option<&Previous>,
) -> Result<Vec<Secret>> {
    let tenant = tenant.to_string();
    let open = |sealed| keyring.open(Endpoint::place(&tenant, &owner, "secret"), sealed);
    let mut secrets = vec![Secret { text: open(secret)?, until: None }];
    if let Some(previous) = previous {
        secrets.push(Secret { text: open(&previous.secret)?, until: Some(previous.until) });
    }
    Ok(secrets)
}

/// The one that a request was meant for, or 404.
pub async fn find(table: &Table, keyring: &Keyring, tenant: TenantId, who: Who) -> Result<Signer> {
    match who {
        Who::Endpoint(id) => Signer::endpoint(keyring, table.get(key::endpoint(tenant, id)).await?),
        Who::Automation(id) => Signer::automation(keyring, table.get(key::automation(tenant, id)).await?),
    }
}

/// The tenant's other signers: 20 endpoints at most, those that subscribe before those of automations, and its 20 newest
/// automations. One whose secret does not open is passed over: it is not what was asked about.
pub async fn others(table: &Table, keyring: &Keyring, tenant: TenantId, own: Who) -> Result<Vec<Signer>> {
    let newest = Page { newest_first: true, ..Page::first(MOST) };
    let mut endpoints = table.list(&key::endpoints(tenant), newest.clone()).await?.rows;
    if endpoints.len() < usize::from(MOST) {
        endpoints.extend(table.list(&key::targets(tenant), newest.clone()).await?.rows);
        endpoints.truncate(MOST.into());
    }
    let automations = table.list(&key::automations(tenant), newest).await?.rows;
    let all = endpoints
        .into_iter()
        .map(|endpoint| Signer::endpoint(keyring, endpoint))
        .chain(automations.into_iter().map(|automation| Signer::automation(keyring, automation)));
    Ok(all.filter_map(|signer| signer.inspect_err(passed_over).ok()).filter(|signer| signer.who != own).collect())
}

fn passed_over(error: &shared::Error) {
    tracing::warn!(error = ?error, "a signer was passed over: {error}");
}
