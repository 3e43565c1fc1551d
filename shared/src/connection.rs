//! CRMs: which there are, a tenant's connection to one, and a sign-in on its way there.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    id::{ConnectionId, TenantId},
    key::{self, Key},
    secrets::Sealed,
    table::Row,
};

/// How long a sign-in is remembered after its end, so that a late browser is told what happened.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// A CRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Zoho CRM.
    Zoho,
    /// Salesforce.
    Salesforce,
    /// HubSpot.
    HubSpot,
    /// Microsoft Dynamics 365.
    Dynamics,
}

impl Provider {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Zoho, Self::Salesforce, Self::HubSpot, Self::Dynamics];

    /// The word for it on the wire, in keys and in the platform's secrets.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Zoho => "zoho",
            Self::Salesforce => "salesforce",
            Self::HubSpot => "hubspot",
            Self::Dynamics => "dynamics",
        }
    }

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zoho => "Zoho",
            Self::Salesforce => "Salesforce",
            Self::HubSpot => "HubSpot",
            Self::Dynamics => "Microsoft Dynamics 365",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// The text names no CRM that we know.
#[derive(Debug, thiserror::Error)]
#[error("must be one of zoho, salesforce, hubspot and dynamics")]
pub struct NotAProvider;

impl FromStr for Provider {
    type Err = NotAProvider;

    fn from_str(text: &str) -> Result<Self, NotAProvider> {
        Self::ALL.into_iter().find(|provider| provider.id() == text).ok_or(NotAProvider)
    }
}

/// Where at a vendor an account lives, as far as that is known before it has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The host that hands out tokens.
    pub login_host: String,
    /// Dynamics 365: the environment, for instance `https://acme.crm4.dynamics.com`.
    pub environment: Option<String>,
}

/// A sign-in that has begun: what its callback has to fit, once. Neither the state nor the browser's nonce can be
/// told from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignIn {
    /// For whom.
    pub tenant: TenantId,
    /// SHA-256 of the state that travels through the browser.
    pub id: String,
    /// Where to.
    pub provider: Provider,
    /// Where there.
    pub site: Site,
    /// The person who began it.
    pub person: String,
    /// SHA-256 of the nonce in the cookie of the browser that began it.
    pub browser: String,
    /// Where the vendor sends the browser back to, exactly.
    pub redirect_uri: String,
    /// What the challenge was made of, until it is used.
    pub verifier: Option<Sealed>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When its callback came.
    pub used_at: Option<Timestamp>,
}

impl Row for SignIn {
    const KIND: &'static str = "sign_in";

    fn key(&self) -> Key<Self> {
        key::sign_in(self.tenant, &self.id)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires_at + REMEMBERED)
    }
}

/// How a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConnectionStatus)]
pub enum Status {
    /// It works, as far as we know.
    Active,
}

/// Who is connected, in the vendor's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The organisation's id with the vendor: what its webhooks name.
    pub external_id: String,
    /// The person's name, or what comes closest to it.
    pub name: Option<String>,
    /// The person's e-mail address.
    pub email: Option<String>,
    /// The organisation's name.
    pub company: Option<String>,
}

/// A CRM that a tenant has connected: one of each vendor at most.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Connection {
    /// Whose.
    pub tenant: TenantId,
    /// Its id: another account at the vendor is another connection.
    pub id: ConnectionId,
    /// To which CRM.
    pub provider: Provider,
    /// How it is.
    pub status: Status,
    /// Grows with every write, so that nobody writes older tokens over newer ones.
    pub version: u64,
    /// Who is connected.
    pub account: Account,
    /// Where tokens are refreshed and revoked.
    pub login_host: String,
    /// Where the API is: `https://` and a host.
    pub api_base: String,
    /// What was granted.
    pub scopes: Vec<String>,
    /// Opens the API.
    pub access_token: Sealed,
    /// When that ends, where the vendor says so.
    pub access_expires_at: Option<Timestamp>,
    /// Makes new access tokens.
    pub refresh_token: Sealed,
    /// The person who connected it.
    pub connected_by: String,
    /// When.
    pub connected_at: Timestamp,
}

impl Row for Connection {
    const KIND: &'static str = "connection";

    fn key(&self) -> Key<Self> {
        key::connection(self.tenant, self.provider)
    }
}

impl Connection {
    /// Where its tokens are bound to.
    pub fn place<'a>(tenant: &'a str, id: &'a str, field: &'a str) -> [&'a str; 3] {
        [tenant, id, field]
    }

    /// Its version, as HTTP compares them.
    pub fn etag(&self) -> String {
        format!("\"{}.{}\"", self.id, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_the_same_word_everywhere() {
        for provider in Provider::ALL {
            assert_eq!(provider.id().parse::<Provider>().unwrap(), provider);
            assert_eq!(serde_json::to_value(provider).unwrap(), provider.id());
        }
        assert!("Zoho".parse::<Provider>().is_err());
    }
}
