//! `POST /api/v1/crm-integration/oauth/init`: begins a sign-in at a CRM.

use http::header;
use jiff::SignedDuration;
use secrecy::SecretString;
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    connection::{Provider, SignIn, Site},
    egress::Egress,
    gate::{Gate, Person, Role},
    http::{Call, Fields, Reply},
    idempotency,
    secrets::{OAuthApp, Vault},
    table::{Created, Table},
};
use url::Url;
use utoipa::ToSchema;

use crate::{
    app,
    browser::Browser,
    state::{State, challenge, unguessable},
    vendor::{Vendor, dynamics, salesforce, zoho},
};

/// How long a person may take to sign in.
pub const GOOD: SignedDuration = SignedDuration::from_mins(10);

/// What beginning one needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Our apps with the CRMs, and the keys that seal.
    pub vault: Vault,
    /// Where the CRMs are.
    pub egress: Egress,
    /// Where we are, if that is configured.
    pub public_url: String,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self {
            gate: aws.gate()?,
            table: aws.table()?,
            vault: aws.vault()?,
            egress: aws.egress()?,
            public_url: aws.setting("PUBLIC_URL"),
        })
    }
}

/// Which CRM to sign in to, and where there.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the form for the document; `read` takes it field by field")]
pub struct NewSignIn {
    /// Which CRM.
    provider: Provider,
    /// Zoho alone, and rarely needed: the data centre to begin at: `us` (unless given), `eu`, `in`, `au`, `jp`, `ca`,
    /// `sa`, `cn`, `uk` or `ae`. Zoho sends accounts of other data centres on by itself.
    region: Option<String>,
    /// Salesforce alone: `login.salesforce.com` (unless given), `test.salesforce.com` for sandboxes, or the company's
    /// My Domain such as `acme.my.salesforce.com`.
    login_host: Option<String>,
    /// Dynamics 365 alone: the environment, for example `https://acme.crm4.dynamics.com`. Without it, the only
    /// environment of who signs in is taken.
    #[schema(value_type = Option<String>, format = "uri")]
    environment_url: Option<String>,
}

/// Where to send the browser.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInBegun {
    /// The CRM's own page. Open it in this very browser, as a page or a window of its own.
    #[schema(value_type = String, format = "uri")]
    auth_url: String,
    /// What the CRM gives back: good once, for ten minutes, for this tenant, CRM and browser.
    state: String,
    /// Which CRM.
    provider: Provider,
}

/// Begins a sign-in at a CRM and answers with the page to send the browser to.
///
/// For owners. The person has ten minutes, and the browser comes back to our own page, which tells how it went.
/// The answer sets a cookie by which that browser is known again: call with credentials (`fetch(…, { credentials:
/// "include" })`). A frontend of another site than the API cannot keep it; the person is then asked to confirm, on our
/// page, which company the CRM is connected to. 409 where the platform has no app with this CRM.
#[utoipa::path(
    post,
    path = "/api/v1/crm-integration/oauth/init",
    operation_id = "crm_oauth_init",
    tag = "crm",
    request_body = NewSignIn,
    responses((status = 200, description = "Send the browser there", body = SignInBegun))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let (provider, site) = read(call.fields()?)?;

    let keyring = deps.vault.keyring().await?;
    idempotency::once_sealed(&deps.table, &keyring, &call, person.tenant, &person.subject, async || {
        begin(deps, &call, &person, provider, site).await
    })
    .await
}

fn read(mut body: Fields) -> Result<(Provider, Site)> {
    let provider: Option<Provider> = body.required("provider");
    let mut environment = None;
    let login_host = match provider {
        Some(Provider::Zoho) => zoho::read(&mut body),
        Some(Provider::Salesforce) => salesforce::read(&mut body),
        Some(provider @ Provider::HubSpot) => Some(Vendor::of(provider).login_host.into()),
        Some(provider @ Provider::Dynamics) => {
            environment = dynamics::read(&mut body);
            Some(Vendor::of(provider).login_host.into())
        }
        None => {
            // Whether they belong there cannot be said without the provider.
            for name in ["region", "login_host", "environment_url"] {
                let _: Option<String> = body.optional(name);
            }
            None
        }
    };
    body.build(|| {
        let site = Site { login_host: login_host?, environment };
        Some((provider?, site))
    })
}

async fn begin(deps: &Deps, call: &Call, person: &Person, provider: Provider, site: Site) -> Result<Reply> {
    let platform = deps.vault.platform().await?;
    let app = app(&platform, provider)
        .ok_or_else(|| Error::conflict(format!("{} is not set up on this platform", provider.name())))?;
    let public_url = call.public_url(&deps.public_url);
    let state = State::new(person.tenant);
    let browser = Browser::of(call, &public_url);
    let verifier = Vendor::of(provider).pkce.then(unguessable);

    let id = state.hash();
    let place = [&*person.tenant.to_string(), &*id, "verifier"];
    let sealed = match &verifier {
        Some(verifier) => Some(platform.keyring.seal(place, &SecretString::from(verifier.clone()))?),
        None => None,
    };
    let sign_in = SignIn {
        tenant: person.tenant,
        id: id.clone(),
        provider,
        site,
        person: person.subject.clone(),
        browser: browser.hash(),
        redirect_uri: format!("{public_url}/api/v1/crm-integration/oauth/callback/{provider}"),
        verifier: sealed,
        expires_at: call.now + GOOD,
        used_at: None,
    };
    if let Created::Was(_) = deps.table.create(&sign_in).await? {
        return Err(Error::internal("a state was made twice", "no randomness"));
    }

    let begun = SignInBegun {
        auth_url: consent_page(&deps.egress, app, &sign_in, &state, verifier.as_deref())?.into(),
        state: state.text,
        provider,
    };
    Ok(Reply::ok(begun).header(header::SET_COOKIE, browser.set_cookie(&public_url)))
}

fn consent_page(
    egress: &Egress,
    app: &OAuthApp,
    sign_in: &SignIn,
    state: &State,
    verifier: Option<&str>,
) -> Result<Url> {
    let vendor = Vendor::of(sign_in.provider);
    let host = vendor.consent_host.unwrap_or(&sign_in.site.login_host);
    let mut url = egress.vendor_url(host, vendor.authorize)?;
    let mut query = url.query_pairs_mut();
    query
        .append_pair("client_id", &app.client_id)
        .append_pair("redirect_uri", &sign_in.redirect_uri)
        .append_pair("scope", &vendor.scope(&sign_in.site))
        .append_pair("state", &state.text)
        .extend_pairs(vendor.parameters);
    if let Some(verifier) = verifier {
        query.append_pair("code_challenge", &challenge(verifier)).append_pair("code_challenge_method", "S256");
    }
    drop(query);
    // `+` is a space in a form, and only mostly in a URL.
    let query = url.query().unwrap_or_default().replace('+', "%20");
    url.set_query(Some(&query));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn faults(body: Value) -> Vec<String> {
        match read(Fields::new(body.as_object().unwrap().clone(), "")) {
            Err(Error::Invalid(faults)) => faults.into_iter().map(|fault| fault.pointer).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_field_of_another_vendor_is_told_apart() {
        assert_eq!(faults(json!({ "provider": "hubspot", "region": "eu" })), ["/region"]);
        assert_eq!(
            faults(json!({ "provider": "zoho", "region": "mars", "login_host": "x" })),
            ["/region", "/login_host"]
        );
        assert_eq!(
            faults(json!({ "provider": "dynamics", "environment_url": "https://evil.example" })),
            ["/environment_url"]
        );
        assert_eq!(faults(json!({ "region": "eu" })), ["/provider"]);
        assert_eq!(faults(json!({ "provider": "pipedrive", "region": 7 })), ["/provider", "/region"]);
    }
}
