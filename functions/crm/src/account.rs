//! Who has signed in: the account's id, name and e-mail address, asked where each vendor tells.

use http::{Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use shared::connection::{Account, Provider};

use crate::{
    ask::{Door, Told},
    failure::Failure,
    tokens::Tokens,
    vendor::{salesforce, zoho},
};

/// Where the API of this account is. The vendor's word for it counts only where it is the vendor's own host.
pub fn api_base(door: &Door<'_>, tokens: &Tokens, environment: Option<String>) -> Result<String, Failure> {
    match door.vendor.provider {
        Provider::Zoho => zoho::api_base(&door.login_host, tokens.api_domain.as_deref()),
        Provider::Salesforce => salesforce::api_base(tokens.instance_url.as_deref()),
        Provider::HubSpot => Ok(format!("https://{}", door.vendor.login_host)),
        Provider::Dynamics => environment.ok_or(Failure::NoEnvironment),
    }
}

/// Asks who it is.
pub async fn of(door: &Door<'_>, tokens: &Tokens, api: &str) -> Result<Account, Failure> {
    match door.vendor.provider {
        Provider::Zoho => of_zoho(door, tokens, api).await,
        Provider::Salesforce => of_salesforce(door, tokens, api).await,
        Provider::HubSpot => of_hubspot(door, tokens).await,
        Provider::Dynamics => of_dynamics(door, tokens, api).await,
    }
}

// ── Zoho ─────────────────────────────────────────────────────────────────

#[derive(Deserialize)]
struct ZohoOrgs {
    org: [ZohoOrg; 1],
}

#[derive(Deserialize)]
struct ZohoOrg {
    zgid: String,
    company_name: Option<String>,
    primary_email: Option<String>,
}

#[derive(Deserialize)]
struct ZohoUsers {
    users: Vec<ZohoUser>,
}

#[derive(Deserialize)]
struct ZohoUser {
    full_name: Option<String>,
    email: Option<String>,
}

async fn of_zoho(door: &Door<'_>, tokens: &Tokens, api: &str) -> Result<Account, Failure> {
    let token = &tokens.access_token;
    let (orgs, users) = tokio::try_join!(
        get::<ZohoOrgs>(door, api, "/crm/v8/org", token),
        get::<ZohoUsers>(door, api, "/crm/v8/users?type=CurrentUser", token),
    )?;
    let [org] = orgs.org;
    let user = users.users.into_iter().next();
    let (name, email) = user.map(|user| (user.full_name, user.email)).unwrap_or_default();
    Ok(Account { external_id: org.zgid, name, email: email.or(org.primary_email), company: org.company_name })
}

// ── Salesforce ───────────────────────────────────────────────────────────

#[derive(Deserialize)]
struct SalesforceUser {
    name: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
struct SalesforceOrgs {
    records: Vec<SalesforceOrg>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SalesforceOrg {
    name: Option<String>,
}

async fn of_salesforce(door: &Door<'_>, tokens: &Tokens, api: &str) -> Result<Account, Failure> {
    let token = &tokens.access_token;
    let org = salesforce::org(tokens, &door.app.client_secret)?;
    let (user, orgs) = tokio::join!(
        get::<SalesforceUser>(door, api, "/services/oauth2/userinfo", token),
        get::<SalesforceOrgs>(door, api, "/services/data/v67.0/query?q=SELECT+Name+FROM+Organization", token),
    );
    let user = user?;
    Ok(Account {
        external_id: org,
        name: user.name,
        email: user.email,
        // Not everybody may read it, and a connection without it is as good.
        company: orgs.ok().and_then(|orgs| orgs.records.into_iter().next()?.name),
    })
}

// ── HubSpot ──────────────────────────────────────────────────────────────

#[derive(Deserialize)]
struct HubSpotToken {
    active: bool,
    hub_id: Option<u64>,
    hub_domain: Option<String>,
    user: Option<String>,
}

/// HubSpot tells neither a person's nor a company's name here: its domain has to do for both.
async fn of_hubspot(door: &Door<'_>, tokens: &Tokens) -> Result<Account, Failure> {
    let form = [("token", tokens.access_token.expose_secret()), ("token_type_hint", "access_token")];
    let told = door.post("/oauth/2026-03/token/introspect", &form, true).await?;
    let found: HubSpotToken = read(told)?;
    let hub = found.hub_id.filter(|_| found.active).ok_or(Failure::Untrusted("a token that is not active"))?;
    Ok(Account {
        external_id: hub.to_string(),
        name: found.hub_domain.clone(),
        email: found.user,
        company: found.hub_domain,
    })
}

// ── Dynamics 365 ─────────────────────────────────────────────────────────

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WhoAmI {
    user_id: String,
    organization_id: String,
}

#[derive(Deserialize)]
struct SystemUser {
    fullname: Option<String>,
    internalemailaddress: Option<String>,
}

#[derive(Deserialize)]
struct Organization {
    name: Option<String>,
}

async fn of_dynamics(door: &Door<'_>, tokens: &Tokens, api: &str) -> Result<Account, Failure> {
    let token = &tokens.access_token;
    let who: WhoAmI = get(door, api, "/api/data/v9.2/WhoAmI", token).await?;
    let is_guid = |id: &str| id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if !is_guid(&who.user_id) || !is_guid(&who.organization_id) {
        return Err(Failure::Down("ids of another form"));
    }
    let user = format!("/api/data/v9.2/systemusers({})?$select=fullname,internalemailaddress", who.user_id);
    let organization = format!("/api/data/v9.2/organizations({})?$select=name", who.organization_id);
    let (user, organization) =
        tokio::join!(get::<SystemUser>(door, api, &user, token), get::<Organization>(door, api, &organization, token),);
    let user = user?;
    Ok(Account {
        external_id: who.organization_id,
        name: user.fullname,
        email: user.internalemailaddress,
        company: organization.ok().and_then(|organization| organization.name),
    })
}

// ── asking ───────────────────────────────────────────────────────────────

/// Reads from a vendor's API with an access token.
pub async fn get<T: DeserializeOwned>(
    door: &Door<'_>,
    base: &str,
    path: &str,
    token: &SecretString,
) -> Result<T, Failure> {
    let host = base.trim_start_matches("https://");
    let authorization = format!("{} {}", door.vendor.scheme, token.expose_secret());
    let request = door.request(Method::GET, host, path)?.header(header::AUTHORIZATION, authorization);
    read(door.send(request).await?)
}

fn read<T: DeserializeOwned>(told: Told) -> Result<T, Failure> {
    match told.status {
        200..300 => serde_json::from_value(told.json).map_err(|_| Failure::Down("an account of another form")),
        status => Err(Failure::NoAccount(status)),
    }
}
