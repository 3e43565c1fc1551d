//! Dynamics 365: the Microsoft identity platform v2.0, where a token is for one resource, and Dataverse behind it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    call::{Answer, Call, Fields, either},
    oauth::{
        Account, Exchange, Grant, Ledger, Refusal, Stranger, challenge, epoch_seconds, guid, id_token, new_guid,
        unguessable, words,
    },
};

const LOGIN: &str = "login.microsoftonline.com";
const DISCOVERY: &str = "globaldisco.crm.dynamics.com";
/// The environment that discovery lists. Any other host of the right form is an environment as well.
const LISTED: &str = "brightline.crm4.dynamics.com";
const CODE_LIFE: Duration = Duration::from_secs(600);
const OIDC: [&str; 4] = ["openid", "profile", "email", "offline_access"];

pub(super) fn plays(host: &str) -> bool {
    host == LOGIN || is_environment(host)
}

/// `{org}.crm{region}.dynamics.com`
fn is_environment(host: &str) -> bool {
    host.strip_suffix(".dynamics.com").and_then(|rest| rest.rsplit_once('.')).is_some_and(|(org, region)| {
        !org.is_empty()
            && region.strip_prefix("crm").is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
    })
}

/// What an id token must repeat.
pub(super) struct SignIn {
    nonce: Option<String>,
}

pub(super) struct Dynamics {
    pub(super) ledger: Ledger<SignIn>,
}

impl Default for Dynamics {
    fn default() -> Self {
        Self { ledger: Ledger::of("dynamics") }
    }
}

impl Dynamics {
    pub(super) fn answer(&mut self, call: &Call, now: Instant) -> Answer {
        if call.host != LOGIN {
            return either(self.dataverse(call, now));
        }
        // v2.0 only: `/{tenant}/oauth2/token` is the older endpoint with other parameters.
        match (call.method.as_str(), call.path[1..].split_once('/')) {
            ("GET", Some((tenant, "oauth2/v2.0/authorize"))) => either(self.authorize(tenant, call, now)),
            ("POST", Some((tenant, "oauth2/v2.0/token"))) => either(self.token(tenant, call, now)),
            _ => Answer::page(StatusCode::NOT_FOUND, "Sign in to your account", "Not found"),
        }
    }

    fn authorize(&mut self, tenant: &str, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let query = &call.query;
        if !self.ledger.knows(query.text("client_id")) {
            return Err(page("AADSTS700016: Application was not found in the directory."));
        }
        let back = self
            .ledger
            .redirect(query.text("redirect_uri"))
            .ok_or_else(|| {
                page("AADSTS50011: The redirect URI specified in the request does not match the redirect URIs configured for the application.")
            })?;
        let state = query.find("state");
        let failed = |error: &str, description: &str| back_with(&back, state, error, description);

        if query.find("resource").is_some() {
            return Err(failed("invalid_request", "AADSTS901002: The 'resource' request parameter is not supported."));
        }
        if query.find("response_type") != Some("code") {
            return Err(failed("unsupported_response_type", "AADSTS70005: response_type must be 'code'."));
        }
        if !matches!(query.find("response_mode"), None | Some("query")) {
            return Err(failed("invalid_request", "AADSTS70007: the stand-in plays response_mode 'query' only."));
        }
        let mut scopes = words(query.text("scope"));
        if scopes.is_empty() {
            return Err(failed(
                "invalid_request",
                "AADSTS900144: The request must contain the following parameter: 'scope'.",
            ));
        }
        if let Some(odd) = scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(failed(
                "invalid_scope",
                &format!("AADSTS70011: The provided value for scope {odd} is not valid."),
            ));
        }
        let challenge =
            challenge(call).map_err(|reason| failed("invalid_request", &format!("AADSTS501491: {reason}")))?;

        let (consent, account) = self.ledger.consent(query)?;
        if !is_home(tenant, &account) {
            return Err(page(
                "AADSTS50020: User account does not exist in tenant and cannot access the application in that tenant.",
            ));
        }
        if consent.deny {
            return Ok(failed("access_denied", "AADSTS65004: User declined to consent to access the app."));
        }
        if let Some(error) = &consent.error {
            return Ok(failed(error, error));
        }

        scopes.retain(|scope| !consent.without.contains(scope));
        let code = format!("1.A{}.Ag{}", unguessable(24), unguessable(240));
        let expires = if consent.expired_code { now } else { now + CODE_LIFE };
        let site = SignIn { nonce: query.find("nonce").map(Into::into) };
        self.ledger.allow(
            &code,
            Grant { client_id: query.text("client_id").into(), account, scopes, consent, site },
            query.text("redirect_uri"),
            challenge,
            expires,
        );
        let session = new_guid();
        Ok(Answer::back_to(&back, &[("code", Some(&code)), ("state", state), ("session_state", Some(&session))]))
    }

    fn token(&mut self, tenant: &str, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let form = call.form();
        let grant_type = form.find("grant_type").ok_or_else(|| {
            bad("invalid_request", 900_144, "The request body must contain the following parameter: 'grant_type'.")
        })?;
        if form.find("resource").is_some() {
            return Err(bad("invalid_request", 901_002, "The 'resource' request parameter is not supported."));
        }
        let client_id = self.ledger.client(&form).map_err(|stranger| match stranger {
            Stranger::Unknown => bad("unauthorized_client", 700_016, "Application was not found in the directory."),
            Stranger::WrongSecret => {
                aad(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_215, "Invalid client secret provided.")
            }
        })?;
        let wanted = Wanted::of(&form)?;
        match grant_type {
            "authorization_code" => self.exchange(tenant, client_id, &form, &wanted, now),
            "refresh_token" => {
                let token = form.text("refresh_token");
                self.refresh(tenant, client_id, token, &wanted, now)
            }
            _ => Err(bad("unsupported_grant_type", 70_003, "The app requested an unsupported grant type.")),
        }
    }

    fn exchange(
        &mut self,
        tenant: &str,
        client_id: &str,
        form: &Fields,
        wanted: &Wanted,
        now: Instant,
    ) -> Result<Answer, Answer> {
        let code = form.text("code");
        let grant = self.ledger.grant_of_code(code).ok_or_else(|| refused(Refusal::Unknown))?;
        if !is_home(tenant, &grant.account) {
            return Err(wrong_tenant());
        }
        // Checked before the code is spent, so that the client may correct itself.
        let scopes = wanted.within(&grant.scopes)?;
        let shown =
            Exchange { client_id, code, redirect_uri: form.text("redirect_uri"), verifier: form.find("code_verifier") };
        let grant = self.ledger.redeem(&shown, now).map_err(refused)?;
        Ok(self.mint(&grant, &scopes, now))
    }

    /// Refresh tokens are not tied to a resource, and an old one stays good after its use.
    fn refresh(
        &mut self,
        tenant: &str,
        client_id: &str,
        token: &str,
        wanted: &Wanted,
        now: Instant,
    ) -> Result<Answer, Answer> {
        let grant =
            self.ledger.find_refresh(token, client_id).map(|refresh| refresh.grant.clone()).ok_or_else(|| {
                bad(
                    "invalid_grant",
                    50_173,
                    "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
                )
            })?;
        if !is_home(tenant, &grant.account) {
            return Err(wrong_tenant());
        }
        let scopes = wanted.within(&grant.scopes)?;
        Ok(self.mint(&grant, &scopes, now))
    }

    fn mint(&mut self, grant: &Arc<Grant<SignIn>>, scopes: &[String], now: Instant) -> Answer {
        let token = format!("eyJ0eXAiOiJKV1QifQ.{}.{}", unguessable(300), unguessable(256));
        let seconds = grant.life(rand::random_range(3600..=5400));
        let refresh = grant.has("offline_access").then(|| format!("1.A{}.Ag{}", unguessable(24), unguessable(400)));
        if let Some(refresh) = &refresh {
            self.ledger.keep(refresh, grant, now);
        }
        let expires = now + Duration::from_secs(seconds);
        self.ledger.mint(&token, grant, scopes, refresh.as_deref(), expires, now);

        let mut reply = json!({
            "token_type": "Bearer",
            "scope": scopes.join(" "),
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token,
        });
        if let Some(refresh) = refresh {
            reply["refresh_token"] = refresh.into();
        }
        if grant.has("openid") {
            reply["id_token"] = id_token(&claims(grant)).into();
        }
        Answer::json(StatusCode::OK, &reply)
    }

    fn dataverse(&self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        // The Web API has a host name of its own beside that of the environment.
        let host = call.host.replacen(".api.crm", ".crm", 1);
        let here = format!("https://{host}");
        let token = call.credential("Bearer").unwrap_or_default();
        let account = self
            .ledger
            .access(token, now)
            .ok()
            .filter(|access| {
                access
                    .scopes
                    .iter()
                    .filter_map(|scope| resource(scope))
                    .any(|resource| resource.replacen(".api.crm", ".crm", 1) == here)
            })
            .map(|access| &access.grant.account)
            .ok_or_else(|| unauthorized(&here))?;

        let path = call.path.replace("%28", "(").replace("%29", ")");
        if call.method != "GET" {
            return Err(missing(&path));
        }
        if host == DISCOVERY {
            return match path.as_str() {
                "/api/discovery/v2.0/Instances" => instances(call, account),
                _ => Err(missing(&path)),
            };
        }
        let rest = path.strip_prefix("/api/data/v9.2/").ok_or_else(|| missing(&path))?;
        let organization = guid(&["dataverse organization", &host]);
        let user = guid(&["dataverse user", &host, &account.email]);
        let business_unit = guid(&["dataverse business unit", &host]);
        let (set, id) = match rest.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
            Some((set, id)) => (set, id),
            None => (rest, ""),
        };
        let row = match set {
            "WhoAmI" if id.is_empty() => {
                return Ok(odata(&json!({
                    "@odata.context": format!("{here}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse"),
                    "BusinessUnitId": business_unit,
                    "UserId": user,
                    "OrganizationId": organization,
                })));
            }
            "systemusers" => {
                let (first, last) = account.names();
                json!({
                    "systemuserid": user,
                    "fullname": account.name,
                    "firstname": first,
                    "lastname": last,
                    "internalemailaddress": account.email,
                    "domainname": account.email,
                    "azureactivedirectoryobjectid": guid(&["entra user", &account.email]),
                    "_businessunitid_value": business_unit,
                    "isdisabled": false,
                })
            }
            "organizations" => json!({
                "organizationid": organization,
                "name": account.company,
                "basecurrencysymbol": "€",
                "languagecode": 1033,
            }),
            _ => return Err(missing(&path)),
        };
        let (entity, key) = (set.trim_end_matches('s'), format!("{}id", set.trim_end_matches('s')));
        if row[&key].as_str() != Some(id) {
            return Err(odata_error(
                StatusCode::NOT_FOUND,
                "0x80040217",
                &format!("{entity} With Id = {id} Does Not Exist"),
            ));
        }
        let mut selected = selected(call, &row, entity, Some(&key))?;
        selected.insert("@odata.context".into(), format!("{here}/api/data/v9.2/$metadata#{set}/$entity").into());
        selected.insert("@odata.etag".into(), "W/\"1234567\"".into());
        Ok(odata(&Value::Object(selected)))
    }
}

/// The scopes of a token request: of one resource at most.
struct Wanted {
    resource: Option<String>,
    permissions: Vec<String>,
}

impl Wanted {
    fn of(form: &Fields) -> Result<Self, Answer> {
        let scopes = words(form.text("scope"));
        if let Some(odd) = scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(bad(
                "invalid_scope",
                70_011,
                &format!(
                    "The provided value for the input parameter 'scope' is not valid. The scope {odd} does not exist."
                ),
            ));
        }
        let mut resources: Vec<String> = scopes.iter().filter_map(|scope| resource(scope)).map(Into::into).collect();
        resources.sort();
        resources.dedup();
        if resources.len() > 1 {
            return Err(bad(
                "invalid_request",
                28_000,
                "Provided value for the input parameter scope is not valid because it contains more than one resource.",
            ));
        }
        Ok(Self { resource: resources.pop(), permissions: scopes })
    }

    /// The scopes of the access token. Any environment will do, since the permission that was consented to
    /// belongs to Dataverse as a whole; without a scope it is the first resource of the consent.
    fn within(&self, granted: &[String]) -> Result<Vec<String>, Answer> {
        let first = granted.iter().find_map(|scope| resource(scope));
        let Some(first) = first else {
            return Err(bad(
                "invalid_grant",
                65_001,
                "The user or administrator has not consented to use the application.",
            ));
        };
        let resource_name = self.resource.as_deref().unwrap_or(first);
        let mut scopes = vec![format!("{resource_name}/user_impersonation")];
        scopes.extend(
            self.permissions.iter().filter(|scope| resource(scope).is_some() && scope.ends_with("/.default")).cloned(),
        );
        Ok(scopes)
    }
}

/// `https://{environment}` of `https://{environment}/user_impersonation`; a second slash before the permission is usual.
fn resource(scope: &str) -> Option<&str> {
    let (resource, _) = scope.rsplit_once('/')?;
    let resource = resource.trim_end_matches('/');
    is_environment(resource.strip_prefix("https://")?).then_some(resource)
}

fn is_scope(scope: &str) -> bool {
    let permission = scope.rsplit('/').next();
    OIDC.contains(&scope)
        || (resource(scope).is_some() && matches!(permission, Some("user_impersonation" | ".default")))
}

fn tenant_id(account: &Account) -> String {
    guid(&["entra tenant", &account.company])
}

/// Does the tenant of the endpoint admit this account?
fn is_home(tenant: &str, account: &Account) -> bool {
    tenant == "organizations" || tenant == "common" || tenant == tenant_id(account)
}

fn claims(grant: &Grant<SignIn>) -> Value {
    let now = epoch_seconds();
    let account = &grant.account;
    let tenant = tenant_id(account);
    let mut claims = json!({
        "aud": grant.client_id,
        "iss": format!("https://{LOGIN}/{tenant}/v2.0"),
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "oid": guid(&["entra user", &account.email]),
        "sub": guid(&["entra subject", &grant.client_id, &account.email]),
        "tid": tenant,
        "ver": "2.0",
    });
    if grant.has("profile") {
        claims["name"] = account.name.clone().into();
        claims["preferred_username"] = account.email.clone().into();
    }
    if grant.has("email") {
        claims["email"] = account.email.clone().into();
    }
    if let Some(nonce) = &grant.site.nonce {
        claims["nonce"] = nonce.clone().into();
    }
    claims
}

/// The environments of the account.
fn instances(call: &Call, account: &Account) -> Result<Answer, Answer> {
    let url = format!("https://{LISTED}/");
    let row = json!({
        "Id": guid(&["dataverse organization", LISTED]),
        "FriendlyName": account.company,
        "UniqueName": "unqbrightline",
        "UrlName": "brightline",
        "Url": url,
        "ApiUrl": "https://brightline.api.crm4.dynamics.com",
        "TenantId": tenant_id(account),
        "State": 0,
        "Version": "9.2.24.00001",
        "Region": "EUR",
    });
    let row = selected(call, &row, "Instance", None)?;
    Ok(odata(&json!({
        "@odata.context": format!("https://{DISCOVERY}/api/discovery/v2.0/$metadata#Instances"),
        "value": [row],
    })))
}

/// The columns of `$select`, and the key in any case.
fn selected(call: &Call, row: &Value, entity: &str, key: Option<&str>) -> Result<Map<String, Value>, Answer> {
    let all = row.as_object().cloned().unwrap_or_default();
    let Some(select) = call.query.find("$select") else {
        return Ok(all);
    };
    select
        .split(',')
        .map(str::trim)
        .chain(key)
        .map(|column| {
            let value = all.get(column).ok_or_else(|| {
                odata_error(
                    StatusCode::BAD_REQUEST,
                    "0x80060888",
                    &format!("Could not find a property named '{column}' on type 'Microsoft.Dynamics.CRM.{entity}'."),
                )
            })?;
            Ok((column.to_owned(), value.clone()))
        })
        .collect()
}

fn back_with(back: &Url, state: Option<&str>, error: &str, description: &str) -> Answer {
    let subcode = (error == "access_denied").then_some("cancel");
    Answer::back_to(
        back,
        &[
            ("error", Some(error)),
            ("error_subcode", subcode),
            ("error_description", Some(description)),
            ("state", state),
        ],
    )
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Unknown | Refusal::OtherClient => {
            bad("invalid_grant", 9_002_313, "Invalid request. Request is malformed or invalid.")
        }
        Refusal::Used => bad(
            "invalid_grant",
            54_005,
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
        ),
        Refusal::Expired => bad(
            "invalid_grant",
            70_008,
            "The provided authorization code or refresh token has expired due to inactivity.",
        ),
        Refusal::OtherRedirect => bad(
            "invalid_client",
            500_112,
            "The reply address does not match the reply address provided when requesting Authorization code.",
        ),
        Refusal::VerifierMissing | Refusal::VerifierUnexpected | Refusal::VerifierWrong => bad(
            "invalid_grant",
            50_148,
            "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.",
        ),
    }
}

fn wrong_tenant() -> Answer {
    bad("invalid_grant", 700_005, "Provided Authorization Code is intended to use against other tenant, thus rejected.")
}

fn bad(error: &str, number: u32, message: &str) -> Answer {
    aad(StatusCode::BAD_REQUEST, error, number, message)
}

fn aad(status: StatusCode, error: &str, number: u32, message: &str) -> Answer {
    let [trace, correlation] = [new_guid(), new_guid()];
    let time = Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    Answer::json(
        status,
        &json!({
            "error": error,
            "error_description": format!(
                "AADSTS{number}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"
            ),
            "error_codes": [number],
            "timestamp": time,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://{LOGIN}/error?code={number}"),
        }),
    )
}

/// The trap: the body is missing, all is in the header.
fn unauthorized(resource: &str) -> Answer {
    Answer::empty(StatusCode::UNAUTHORIZED).header(
        "www-authenticate",
        &format!("Bearer authorization_uri=https://{LOGIN}/common/oauth2/authorize, resource_id={resource}/"),
    )
}

fn odata(json: &Value) -> Answer {
    Answer::json(StatusCode::OK, json)
        .header("content-type", "application/json; odata.metadata=minimal")
        .header("odata-version", "4.0")
}

fn odata_error(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "error": { "code": code, "message": message } })).header("odata-version", "4.0")
}

fn missing(path: &str) -> Answer {
    let segment = path.rsplit('/').next().unwrap_or_default();
    odata_error(StatusCode::NOT_FOUND, "0x8006088a", &format!("Resource not found for the segment '{segment}'."))
}

fn page(detail: &str) -> Answer {
    Answer::page(StatusCode::BAD_REQUEST, "Sorry, but we're having trouble signing you in", detail)
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;
    use crate::standin::testing::{BACK, Reply, Scene, VERIFIER, s256, with};

    const AUTH: &str = "/login.microsoftonline.com/organizations/oauth2/v2.0/authorize";
    const TOKEN: &str = "/login.microsoftonline.com/organizations/oauth2/v2.0/token";
    const ORG: &str = "/acme.crm4.dynamics.com/api/data/v9.2";
    const SCOPE: &str = "https://acme.crm4.dynamics.com/user_impersonation offline_access openid profile email";
    const DISCO_SCOPE: &str = "https://globaldisco.crm.dynamics.com/user_impersonation offline_access";

    async fn consent(scene: &Scene, path: &str, changes: &[(&str, &str)]) -> Reply {
        let challenge = s256();
        let ask = [
            ("client_id", "crossdock-dynamics"),
            ("response_type", "code"),
            ("redirect_uri", BACK),
            ("response_mode", "query"),
            ("scope", SCOPE),
            ("state", "st"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        scene.visit(path, &with(&ask, changes)).await
    }

    async fn code(scene: &Scene, changes: &[(&str, &str)]) -> String {
        consent(scene, AUTH, changes).await.callback()["code"].clone()
    }

    fn exchange(code: &str) -> Vec<(&str, &str)> {
        vec![
            ("grant_type", "authorization_code"),
            ("client_id", "crossdock-dynamics"),
            ("client_secret", "standin-secret-dynamics"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
            ("scope", SCOPE),
        ]
    }

    fn renewal<'a>(token: &'a str, scope: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("grant_type", "refresh_token"),
            ("client_id", "crossdock-dynamics"),
            ("client_secret", "standin-secret-dynamics"),
            ("refresh_token", token),
            ("scope", scope),
        ]
    }

    fn bearer(tokens: &Value) -> String {
        format!("Bearer {}", tokens["access_token"].as_str().unwrap())
    }

    fn claims_of(tokens: &Value) -> Value {
        let token = tokens["id_token"].as_str().unwrap();
        let claims = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn an_environment_is_connected_and_tells_who_it_is() {
        let scene = Scene::open().await;
        let code = code(&scene, &[("nonce", "n1")]).await;

        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();

        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["scope"], "https://acme.crm4.dynamics.com/user_impersonation");
        assert!((3600..=5400).contains(&tokens["expires_in"].as_u64().unwrap()));
        let claims = claims_of(&tokens);
        assert_eq!(claims["preferred_username"], "ada@brightline.example");
        assert_eq!(claims["nonce"], "n1");

        let shown = bearer(&tokens);
        let me = scene.get(&format!("{ORG}/WhoAmI"), &shown).await.json();
        let [user, org] = [&me["UserId"], &me["OrganizationId"]].map(|id| id.as_str().unwrap());
        let path = format!("{ORG}/systemusers({user})?$select=fullname,internalemailaddress");
        let row = scene.get(&path, &shown).await.json();
        assert_eq!(row["fullname"], "Ada Brightline");
        assert_eq!(row["internalemailaddress"], "ada@brightline.example");
        assert!(row.get("domainname").is_none());
        let path = format!("{ORG}/organizations({org})?$select=name");
        assert_eq!(scene.get(&path, &shown).await.json()["name"], "Brightline GmbH");
    }

    #[tokio::test]
    async fn a_token_is_for_one_environment() {
        let scene = Scene::open().await;
        let code = code(&scene, &[]).await;
        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();

        let elsewhere = "/other.crm4.dynamics.com/api/data/v9.2/WhoAmI";
        let reply = scene.get(elsewhere, &bearer(&tokens)).await;

        assert_eq!((reply.status, reply.text.as_str()), (401, ""));
        assert!(reply.header("www-authenticate").contains("resource_id=https://other.crm4"));
    }

    #[tokio::test]
    async fn discovery_comes_first_and_the_same_refresh_token_opens_the_environment() {
        let scene = Scene::open().await;
        let code = code(&scene, &[("scope", DISCO_SCOPE)]).await;
        let form = with(&exchange(&code), &[("scope", DISCO_SCOPE)]);
        let tokens = scene.form(TOKEN, &form).await.json();

        let path = "/globaldisco.crm.dynamics.com/api/discovery/v2.0/Instances?$select=Id,FriendlyName,UniqueName,Url,ApiUrl,TenantId";
        let instances = scene.get(path, &bearer(&tokens)).await.json();
        let url = instances["value"][0]["Url"].as_str().unwrap();
        let scope = format!("{url}user_impersonation offline_access");
        let refresh = tokens["refresh_token"].as_str().unwrap();
        let renewed = scene.form(TOKEN, &renewal(refresh, &scope)).await.json();

        let me = "/brightline.crm4.dynamics.com/api/data/v9.2/WhoAmI";
        let reply = scene.get(me, &bearer(&renewed)).await;
        assert_eq!(reply.json()["OrganizationId"], instances["value"][0]["Id"]);
        assert!(tokens.get("id_token").is_none());
    }

    #[tokio::test]
    async fn each_refresh_brings_a_new_token_and_the_old_one_stays_good() {
        let scene = Scene::open().await;
        let code = code(&scene, &[]).await;
        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();
        let old = tokens["refresh_token"].as_str().unwrap();

        let renewed = scene.form(TOKEN, &renewal(old, SCOPE)).await.json();
        let again = scene.form(TOKEN, &renewal(old, SCOPE)).await;

        assert_ne!(renewed["refresh_token"], tokens["refresh_token"]);
        assert_eq!(again.status, 200);
    }

    #[tokio::test]
    async fn without_offline_access_there_is_no_refresh_token() {
        let scene = Scene::open().await;
        let scope = "https://acme.crm4.dynamics.com/.default";
        let code = code(&scene, &[("scope", scope)]).await;

        let form = with(&exchange(&code), &[("scope", scope)]);
        let tokens = scene.form(TOKEN, &form).await.json();

        assert!(tokens.get("refresh_token").is_none());
        assert!(tokens["scope"].as_str().unwrap().ends_with(scope));
    }

    #[tokio::test]
    async fn errors_are_numbered() {
        let scene = Scene::open().await;
        let good = code(&scene, &[]).await;
        let expired = code(&scene, &[("standin_expired_code", "true")]).await;
        let two = "https://a.crm.dynamics.com/user_impersonation https://b.crm.dynamics.com/user_impersonation";
        let other = "x".repeat(43);
        let cases = [
            (good.as_str(), ("client_id", "other"), 400, "unauthorized_client", 700_016),
            (good.as_str(), ("client_secret", "no"), 401, "invalid_client", 7_000_215),
            (good.as_str(), ("code", "unknown"), 400, "invalid_grant", 9_002_313),
            (good.as_str(), ("code_verifier", other.as_str()), 400, "invalid_grant", 50_148),
            (good.as_str(), ("code_verifier", ""), 400, "invalid_grant", 50_148),
            (good.as_str(), ("redirect_uri", "https://app.example/else"), 400, "invalid_client", 500_112),
            (good.as_str(), ("scope", two), 400, "invalid_request", 28_000),
            (good.as_str(), ("scope", "everything"), 400, "invalid_scope", 70_011),
            (good.as_str(), ("resource", "https://a"), 400, "invalid_request", 901_002),
            (good.as_str(), ("grant_type", "password"), 400, "unsupported_grant_type", 70_003),
            (expired.as_str(), ("state", ""), 400, "invalid_grant", 70_008),
        ];

        for (code, change, status, error, number) in cases {
            let reply = scene.form(TOKEN, &with(&exchange(code), &[change])).await;
            let body = reply.json();
            assert_eq!((reply.status, body["error"].as_str()), (status, Some(error)), "{body}");
            assert_eq!(body["error_codes"], json!([number]));
        }
        assert_eq!(scene.form(TOKEN, &exchange(&good)).await.status, 200);
        let again = scene.form(TOKEN, &exchange(&good)).await.json();
        assert_eq!(again["error_codes"], json!([54_005]));
        let refresh = scene.form(TOKEN, &renewal("gone", SCOPE)).await.json();
        assert_eq!(refresh["error"], "invalid_grant");
    }

    #[tokio::test]
    async fn the_sign_in_page_refuses_what_the_app_got_wrong() {
        let scene = Scene::open().await;
        for change in [("client_id", "other"), ("redirect_uri", "/x")] {
            assert_eq!(consent(&scene, AUTH, &[change]).await.status, 400, "{change:?}");
        }
        for (change, error) in [
            (("response_type", "token"), "unsupported_response_type"),
            (("scope", ""), "invalid_request"),
            (("scope", "https://graph.example/all"), "invalid_scope"),
            (("resource", "https://acme.crm4.dynamics.com"), "invalid_request"),
            (("code_challenge_method", "plain"), "invalid_request"),
            (("standin_deny", "true"), "access_denied"),
        ] {
            let back = consent(&scene, AUTH, &[change]).await.callback();
            assert_eq!((back["error"].as_str(), back["state"].as_str()), (error, "st"));
        }
    }

    #[tokio::test]
    async fn only_the_own_tenant_and_the_second_version_will_do() {
        let scene = Scene::open().await;
        let foreign = AUTH.replace("organizations", &guid(&["another tenant"]));
        let older = AUTH.replace("/v2.0", "");

        assert_eq!(consent(&scene, &foreign, &[]).await.status, 400);
        assert_eq!(consent(&scene, &older, &[]).await.status, 404);

        let code = code(&scene, &[]).await;
        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();
        let own = claims_of(&tokens)["tid"].as_str().unwrap().to_owned();
        assert_eq!(consent(&scene, &AUTH.replace("organizations", &own), &[]).await.status, 302);
    }

    #[tokio::test]
    async fn rows_that_are_not_there_and_columns_that_do_not_exist() {
        let scene = Scene::open().await;
        let code = code(&scene, &[]).await;
        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();
        let shown = bearer(&tokens);
        let me = scene.get(&format!("{ORG}/WhoAmI"), &shown).await.json();
        let user = me["UserId"].as_str().unwrap();
        let cases = [
            (format!("{ORG}/systemusers({})", guid(&["nobody"])), 404, "0x80040217"),
            (format!("{ORG}/systemusers({user})?$select=nickname"), 400, "0x80060888"),
            (format!("{ORG}/planets"), 404, "0x8006088a"),
        ];

        for (path, status, code) in cases {
            let reply = scene.get(&path, &shown).await;
            assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (status, Some(code)));
        }
    }
}
