//! Make.com: a tenant's account there. Its API is asked through [`api`].

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    id::TenantId,
    key::{self, Index, Key},
    receiver::Untold,
    secrets::{Keyring, Sealed},
    table::Row,
};

pub mod api;
pub mod pull;

/// The scope to read webhooks and their queues.
pub const HOOKS: &str = "hooks:read";
/// The scope to read scenarios.
pub const SCENARIOS: &str = "scenarios:read";
/// The scope to read the teams of an organisation.
pub const TEAMS: &str = "teams:read";
/// The scope to read an organisation, and with it how much may be asked a minute.
pub const ORGANIZATIONS: &str = "organizations:read";
/// The scope to read what ended incomplete.
pub const INCOMPLETE: &str = "dlqs:read";

/// Where an organisation of Make.com lives: fixed when it is made. The list is Make's own (developers.make.com, API
/// reference).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = MakeZone)]
pub enum Zone {
    /// Europe.
    #[serde(rename = "eu1.make.com")]
    Eu1,
    /// Europe, the second.
    #[serde(rename = "eu2.make.com")]
    Eu2,
    /// The United States.
    #[serde(rename = "us1.make.com")]
    Us1,
    /// The United States, the second.
    #[serde(rename = "us2.make.com")]
    Us2,
    /// Europe, of Celonis.
    #[serde(rename = "eu1.make.celonis.com")]
    Eu1Celonis,
    /// The United States, of Celonis.
    #[serde(rename = "us1.make.celonis.com")]
    Us1Celonis,
}

impl Zone {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Eu1, Self::Eu2, Self::Us1, Self::Us2, Self::Eu1Celonis, Self::Us1Celonis];

    /// The host of its API.
    pub const fn host(self) -> &'static str {
        match self {
            Self::Eu1 => "eu1.make.com",
            Self::Eu2 => "eu2.make.com",
            Self::Us1 => "us1.make.com",
            Self::Us2 => "us2.make.com",
            Self::Eu1Celonis => "eu1.make.celonis.com",
            Self::Us1Celonis => "us1.make.celonis.com",
        }
    }
}

/// Whether a host takes webhooks for Make.com, in whatever zone.
pub fn is_hook_host(host: &str) -> bool {
    host.strip_prefix("hook.").is_some_and(|zone| Zone::ALL.iter().any(|known| known.host() == zone))
}

/// What of Make.com a tenant has given access to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// All teams of an organisation that the token sees.
    Organization(u64),
    /// One team.
    Team(u64),
}

/// A tenant's account at Make.com: one at most. People change what stands above `next_at`; what stands from there on is
/// how looking at it goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Whose.
    pub tenant: TenantId,
    /// Grows with every change that a person makes.
    pub revision: u32,
    /// Where it lives.
    pub zone: Zone,
    /// What of it is looked at.
    pub place: Place,
    /// Opens its API, until it is taken back.
    pub token: Option<Sealed>,
    /// First characters of the token's SHA-256.
    pub fingerprint: String,
    /// What the token may do, of what we have a use for.
    pub scopes: Vec<String>,
    /// Requests a minute that Make.com takes from the whole organisation, where it told (`license.apiLimit`).
    pub api_limit: Option<u32>,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it was taken back: then it is no account any more, and goes once nothing depends on it.
    pub ended_at: Option<Timestamp>,
    /// When it is looked at next.
    pub next_at: Timestamp,
    /// When Make.com last answered.
    pub answered_at: Option<Timestamp>,
    /// Requests that the last look took.
    #[serde(default)]
    pub requests: u32,
    /// Looks since the last one that was answered.
    #[serde(default)]
    pub failures: u32,
    /// The first of them.
    pub failing_since: Option<Timestamp>,
    /// Why the last one was not answered, for a person.
    pub failure: Option<String>,
    /// Since when Make.com refuses the token.
    pub refused_since: Option<Timestamp>,
    /// The teams that the token sees.
    #[serde(default)]
    pub teams: Vec<u64>,
    /// How many of them have been searched for webhooks, in the search that is under way.
    #[serde(default)]
    pub searched: u32,
    /// When the last whole search ended.
    pub searched_at: Option<Timestamp>,
    /// Notices that were decided with the last look, and perhaps not given yet.
    #[serde(default)]
    pub untold: Vec<Untold>,
    /// Whether there is a pull of what its scenarios did. An account that was given before there were pulls gets one with
    /// its next look.
    #[serde(default)]
    pub has_pull: bool,
}

impl Row for Account {
    const KIND: &'static str = "make_account";

    fn key(&self) -> Key<Self> {
        key::make_account(self.tenant)
    }

    fn index(&self) -> Option<Index> {
        Some(key::watched(self.next_at))
    }
}

impl Account {
    /// Where its token is bound to.
    pub fn place(tenant: &str) -> [&str; 3] {
        [tenant, "make", "token"]
    }

    /// Who asks Make's API for it.
    pub fn caller(&self, keyring: &Keyring) -> Result<api::Caller> {
        let sealed = self.token.as_ref().ok_or(Error::NotFound { kind: Self::KIND })?;
        let token: SecretString = keyring.open(Self::place(&self.tenant.to_string()), sealed)?;
        Ok(api::Caller::new(self.tenant, self.zone, token, self.api_limit))
    }

    /// Its version, as HTTP compares them: of two accounts, one after the other, none has the other's.
    pub fn etag(&self) -> String {
        format!("\"{}.{}\"", self.created_at.as_millisecond(), self.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_written_as_its_host() {
        for zone in Zone::ALL {
            assert_eq!(serde_json::to_value(zone).unwrap(), zone.host());
            assert!(is_hook_host(&format!("hook.{}", zone.host())));
        }
        assert!(!is_hook_host("eu1.make.com") && !is_hook_host("hook.example.com") && !is_hook_host("hook."));
    }
}
