//! The four CRMs as data: hosts, paths, parameters and scopes. What they do differently is in their own files.

use shared::connection::{Provider, Site};

pub mod dynamics;
pub mod salesforce;
pub mod zoho;

/// How one vendor's authorization server is spoken to. Paths are those of the login host unless a host is named.
#[derive(Debug)]
pub struct Vendor {
    /// Which one it is.
    pub provider: Provider,
    /// Hands out tokens, unless the tenant's account lives elsewhere.
    pub login_host: &'static str,
    /// Shows the consent page, where that is not the login host.
    pub consent_host: Option<&'static str>,
    /// Where the browser is sent.
    pub authorize: &'static str,
    /// Where codes and refresh tokens are exchanged.
    pub token: &'static str,
    /// Where a connection is ended, if anywhere.
    pub revoke: Option<Revoke>,
    /// What is asked for. `{environment}` stands for the tenant's own.
    pub scopes: &'static [&'static str],
    /// Stands between scopes.
    pub separator: &'static str,
    /// What else the consent page wants.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Whether it takes PKCE from an app that has a secret.
    pub pkce: bool,
    /// Whether the token endpoint wants the scopes again.
    pub scope_with_code: bool,
    /// What stands before an access token in `Authorization`.
    pub scheme: &'static str,
}

/// How a refresh token is revoked.
#[derive(Debug)]
pub struct Revoke {
    /// Where.
    pub path: &'static str,
    /// Whether the app says who it is, and what kind of token that is.
    pub as_client: bool,
}

/// Zoho documents PKCE for apps without a secret only; state and secret have to do.
static ZOHO: Vendor = Vendor {
    provider: Provider::Zoho,
    login_host: "accounts.zoho.com",
    consent_host: None,
    authorize: "/oauth/v2/auth",
    token: "/oauth/v2/token",
    revoke: Some(Revoke { path: "/oauth/v2/token/revoke", as_client: false }),
    scopes: &[
        "ZohoCRM.modules.ALL",
        "ZohoCRM.settings.ALL",
        "ZohoCRM.users.READ",
        "ZohoCRM.org.READ",
        "ZohoCRM.notifications.ALL",
        "ZohoCRM.bulk.ALL",
        "ZohoCRM.coql.READ",
    ],
    separator: ",",
    // Without both there is no refresh token, or none the second time.
    parameters: &[("response_type", "code"), ("access_type", "offline"), ("prompt", "consent")],
    pkce: false,
    scope_with_code: false,
    scheme: "Zoho-oauthtoken",
};

static SALESFORCE: Vendor = Vendor {
    provider: Provider::Salesforce,
    login_host: "login.salesforce.com",
    consent_host: None,
    authorize: "/services/oauth2/authorize",
    token: "/services/oauth2/token",
    revoke: Some(Revoke { path: "/services/oauth2/revoke", as_client: false }),
    scopes: &["api", "refresh_token", "id"],
    separator: " ",
    parameters: &[("response_type", "code")],
    pkce: true,
    scope_with_code: false,
    scheme: "Bearer",
};

static HUBSPOT: Vendor = Vendor {
    provider: Provider::HubSpot,
    login_host: "api.hubapi.com",
    consent_host: Some("app.hubspot.com"),
    authorize: "/oauth/authorize",
    token: "/oauth/2026-03/token",
    revoke: Some(Revoke { path: "/oauth/2026-03/token/revoke", as_client: true }),
    scopes: &[
        "oauth",
        "crm.objects.contacts.read",
        "crm.objects.contacts.write",
        "crm.objects.companies.read",
        "crm.objects.companies.write",
        "crm.objects.deals.read",
        "crm.objects.deals.write",
        "crm.objects.owners.read",
        "crm.schemas.contacts.read",
        "crm.schemas.companies.read",
        "crm.schemas.deals.read",
    ],
    separator: " ",
    // Leads belong to a paid tier: whoever has not got them connects all the same.
    parameters: &[("optional_scope", "crm.objects.leads.read crm.objects.leads.write")],
    pkce: true,
    scope_with_code: false,
    scheme: "Bearer",
};

/// Work accounts of any organisation. There is no revoke endpoint: an admin removes the consent.
static DYNAMICS: Vendor = Vendor {
    provider: Provider::Dynamics,
    login_host: "login.microsoftonline.com",
    consent_host: None,
    authorize: "/organizations/oauth2/v2.0/authorize",
    token: "/organizations/oauth2/v2.0/token",
    revoke: None,
    scopes: &["{environment}/user_impersonation", "offline_access", "openid", "profile", "email"],
    separator: " ",
    parameters: &[("response_type", "code"), ("response_mode", "query"), ("prompt", "select_account")],
    pkce: true,
    scope_with_code: true,
    scheme: "Bearer",
};

impl Vendor {
    /// How this one is spoken to.
    pub fn of(provider: Provider) -> &'static Self {
        match provider {
            Provider::Zoho => &ZOHO,
            Provider::Salesforce => &SALESFORCE,
            Provider::HubSpot => &HUBSPOT,
            Provider::Dynamics => &DYNAMICS,
        }
    }

    /// What is asked for at a site, as the vendor writes lists.
    pub fn scope(&self, site: &Site) -> String {
        let environment = site.environment.as_deref().unwrap_or(dynamics::DISCOVERY);
        self.scopes.join(self.separator).replace("{environment}", environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vendor_is_described_under_its_own_name() {
        for provider in Provider::ALL {
            assert_eq!(Vendor::of(provider).provider, provider);
        }
    }

    #[test]
    fn scopes_are_written_as_each_vendor_wants_them() {
        let site =
            |environment: Option<&str>| Site { login_host: String::new(), environment: environment.map(Into::into) };

        assert!(ZOHO.scope(&site(None)).starts_with("ZohoCRM.modules.ALL,ZohoCRM.settings.ALL,"));
        assert_eq!(SALESFORCE.scope(&site(None)), "api refresh_token id");
        assert_eq!(
            DYNAMICS.scope(&site(Some("https://acme.crm4.dynamics.com"))),
            "https://acme.crm4.dynamics.com/user_impersonation offline_access openid profile email"
        );
        assert!(DYNAMICS.scope(&site(None)).starts_with("https://globaldisco.crm.dynamics.com/user_impersonation "));
    }
}
