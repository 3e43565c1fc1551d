//! Zoho CRM: regional hosts, errors under HTTP 200, tokens that say `Bearer` and want `Zoho-oauthtoken`.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, either},
    oauth::{Access, Exchange, Grant, Ledger, NoAccess, Refusal, Stranger, number, unguessable_hex},
};

const CODE_LIFE: Duration = Duration::from_secs(120);
const ACCESS_SECONDS: u64 = 3600;
const MINUTE: Duration = Duration::from_secs(60);
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// A data centre. Neither accounts nor codes nor tokens exist in more than one.
#[derive(Debug, PartialEq, Eq)]
struct Region {
    location: &'static str,
    accounts: &'static str,
    api: &'static str,
}

const fn region(location: &'static str, accounts: &'static str, api: &'static str) -> Region {
    Region { location, accounts, api }
}

static REGIONS: [Region; 10] = [
    region("us", "accounts.zoho.com", "www.zohoapis.com"),
    region("eu", "accounts.zoho.eu", "www.zohoapis.eu"),
    region("in", "accounts.zoho.in", "www.zohoapis.in"),
    region("au", "accounts.zoho.com.au", "www.zohoapis.com.au"),
    region("jp", "accounts.zoho.jp", "www.zohoapis.jp"),
    region("ca", "accounts.zohocloud.ca", "www.zohoapis.ca"),
    region("sa", "accounts.zoho.sa", "www.zohoapis.sa"),
    region("cn", "accounts.zoho.com.cn", "www.zohoapis.com.cn"),
    region("uk", "accounts.zoho.uk", "www.zohoapis.uk"),
    region("ae", "accounts.zoho.ae", "www.zohoapis.ae"),
];

/// Where an account lives, and whether its consent hands out a refresh token: only an offline one does,
/// and only the first time unless the person was asked again.
pub(super) struct Home {
    region: &'static Region,
    refreshable: bool,
}

enum Door {
    Accounts(&'static Region),
    Api(&'static Region),
}

fn door(host: &str) -> Option<Door> {
    REGIONS.iter().find_map(|region| {
        if region.accounts == host {
            Some(Door::Accounts(region))
        } else if region.api == host {
            Some(Door::Api(region))
        } else {
            None
        }
    })
}

pub(super) fn plays(host: &str) -> bool {
    door(host).is_some()
}

pub(super) struct Zoho {
    pub(super) ledger: Ledger<Home>,
    /// Who has agreed before: without `prompt=consent` they are handed no second refresh token.
    agreed: HashSet<(String, String)>,
}

impl Default for Zoho {
    fn default() -> Self {
        Self { ledger: Ledger::of("zoho"), agreed: HashSet::new() }
    }
}

impl Zoho {
    pub(super) fn answer(&mut self, call: &Call, now: Instant) -> Answer {
        match (door(&call.host), call.target()) {
            (Some(Door::Accounts(here)), target) => match target {
                ("GET", "/oauth/v2/auth") => either(self.authorize(here, call, now)),
                ("POST", "/oauth/v2/token") => either(self.token(here, call, now)),
                ("POST", "/oauth/v2/token/revoke") => self.revoke(here, call),
                ("GET", "/oauth/serverinfo") => server_info(),
                ("GET", "/oauth/user/info") => either(self.user_info(here, call, now)),
                _ => Answer::page(StatusCode::NOT_FOUND, "Zoho Accounts", "Page not found"),
            },
            (Some(Door::Api(here)), ("GET", path)) if is_crm(path, "org") => either(self.org(here, call, now)),
            (Some(Door::Api(here)), ("GET", path)) if is_crm(path, "users") => either(self.users(here, call, now)),
            _ => api_error(
                StatusCode::NOT_FOUND,
                "INVALID_URL_PATTERN",
                "Please check if the URL trying to access is a correct one",
            ),
        }
    }

    fn authorize(&mut self, here: &'static Region, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let query = &call.query;
        if !self.ledger.knows(query.text("client_id")) {
            return Err(page("Invalid Client", "Client ID passed does not exist"));
        }
        let back = self.ledger.redirect(query.text("redirect_uri")).ok_or_else(|| {
            page("Invalid Redirect Uri", "Redirect URI passed does not match with the one configured")
        })?;
        if query.find("response_type") != Some("code") {
            return Err(page("Invalid Response Type", "response_type must be code"));
        }
        let mut scopes: Vec<String> = query.text("scope").split(',').map(|scope| scope.trim().to_owned()).collect();
        if let Some(odd) = scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(page("Invalid OAuth Scope", &format!("Scope does not exist: {odd}")));
        }
        let offline = match query.find("access_type") {
            None | Some("online") => false,
            Some("offline") => true,
            Some(_) => {
                return Err(page("Invalid Access Type", "access_type is online or offline"));
            }
        };

        let state = query.find("state");
        let (consent, account) = self.ledger.consent(query)?;
        let error = consent.error.as_deref().or(consent.deny.then_some("access_denied"));
        if let Some(error) = error {
            return Ok(Answer::back_to(&back, &[("error", Some(error)), ("state", state)]));
        }

        let home = match &consent.location {
            Some(location) => REGIONS
                .iter()
                .find(|region| region.location == location)
                .ok_or_else(|| page("standin_location", location))?,
            // Most accounts do not live where everybody is sent first.
            None if here.location == "us" => &REGIONS[1],
            None => here,
        };
        scopes.retain(|scope| !consent.without.contains(scope));
        let client_id = query.text("client_id").to_owned();
        let anew = self.agreed.insert((client_id.clone(), account.email.clone()));
        let accounts_server = consent.accounts_server.clone().unwrap_or_else(|| format!("https://{}", home.accounts));
        let refreshable = offline && (anew || query.text("prompt").contains("consent"));
        let expires = if consent.expired_code { now } else { now + CODE_LIFE };
        let code = secret();
        self.ledger.allow(
            &code,
            Grant { client_id, account, scopes, consent, site: Home { region: home, refreshable } },
            query.text("redirect_uri"),
            None,
            expires,
        );
        Ok(Answer::back_to(
            &back,
            &[
                ("state", state),
                ("code", Some(&code)),
                ("location", Some(home.location)),
                ("accounts-server", Some(&accounts_server)),
            ],
        ))
    }

    fn token(&mut self, here: &'static Region, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let form = call.form();
        let client_id = self.ledger.client(&form).map_err(|stranger| {
            token_error(match stranger {
                Stranger::Unknown => "invalid_client",
                Stranger::WrongSecret => "invalid_client_secret",
            })
        })?;
        match form.text("grant_type") {
            "authorization_code" => {
                let code = form.text("code");
                let lives_here = self.ledger.grant_of_code(code).is_some_and(|grant| grant.site.region == here);
                if !lives_here {
                    return Err(token_error("invalid_code"));
                }
                self.exchange(
                    &Exchange { client_id, code, redirect_uri: form.text("redirect_uri"), verifier: None },
                    now,
                )
            }
            "refresh_token" => self.refresh(here, client_id, form.text("refresh_token"), now),
            _ => Err(token_error("general_error")),
        }
    }

    fn exchange(&mut self, shown: &Exchange<'_>, now: Instant) -> Result<Answer, Answer> {
        if let Some(grant) = self.ledger.grant_of_code(shown.code)
            && grant.site.refreshable
            && grant.account.has_quotas
        {
            let recent = self
                .ledger
                .refresh_tokens_of(grant)
                .iter()
                .filter(|(_, refresh)| now.duration_since(refresh.kept) < MINUTE)
                .count();
            if recent >= 5 {
                return Err(too_often());
            }
        }
        let grant = self.ledger.redeem(shown, now).map_err(|refusal| {
            token_error(match refusal {
                Refusal::OtherRedirect => "invalid_redirect_uri",
                _ => "invalid_code",
            })
        })?;

        let refresh_token = grant.site.refreshable.then(secret);
        if let Some(token) = &refresh_token {
            self.ledger.keep(token, &grant, now);
            if grant.account.has_quotas {
                self.ledger.drop_oldest_refresh(&grant, 20);
            }
        }
        let mut reply = self.mint(&grant, refresh_token.as_deref(), now);
        reply["scope"] = grant.scopes.join(" ").into();
        if let Some(token) = refresh_token {
            reply["refresh_token"] = token.into();
        }
        Ok(Answer::json(StatusCode::OK, &reply))
    }

    fn refresh(&mut self, here: &'static Region, client_id: &str, token: &str, now: Instant) -> Result<Answer, Answer> {
        let refresh = self
            .ledger
            .find_refresh(token, client_id)
            .filter(|refresh| refresh.grant.site.region == here)
            .ok_or_else(|| token_error("invalid_code"))?;
        refresh.uses.retain(|then| now.duration_since(*then) < TEN_MINUTES);
        if refresh.uses.len() >= 10 {
            return Err(too_often());
        }
        refresh.uses.push_back(now);

        let grant = refresh.grant.clone();
        let reply = self.mint(&grant, Some(token), now);
        self.ledger.drop_oldest_access(token, 30, now);
        Ok(Answer::json(StatusCode::OK, &reply))
    }

    fn mint(&mut self, grant: &Arc<Grant<Home>>, refresh: Option<&str>, now: Instant) -> Value {
        let token = secret();
        let seconds = grant.life(ACCESS_SECONDS);
        let expires = now + Duration::from_secs(seconds);
        self.ledger.mint(&token, grant, &grant.scopes, refresh, expires, now);
        let mut reply = json!({
            "access_token": token,
            "api_domain": format!("https://{}", grant.site.region.api),
            "token_type": "Bearer",
            "expires_in": seconds,
        });
        if grant.consent.expires_in_sec {
            reply["expires_in_sec"] = seconds.into();
            reply["expires_in"] = (seconds * 1000).into();
        }
        reply
    }

    fn revoke(&mut self, here: &'static Region, call: &Call) -> Answer {
        let form = call.form();
        let token = form.find("token").or(call.query.find("token"));
        let lives_here =
            token.is_some_and(|token| self.ledger.grant_of_token(token).is_some_and(|grant| grant.site.region == here));
        if lives_here && token.is_some_and(|token| self.ledger.revoke(token)) {
            Answer::json(StatusCode::OK, &json!({ "status": "success" }))
        } else {
            token_error("invalid_token")
        }
    }

    fn org(&self, here: &'static Region, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let access = self.opened(here, call, now, &["ZohoCRM.org.READ", "ZohoCRM.org.ALL"])?;
        let company = access.grant.account.company.as_str();
        Ok(Answer::json(
            StatusCode::OK,
            &json!({ "org": [{
                "id": number(&["zoho org", company], 18).to_string(),
                "zgid": number(&["zoho zgid", company], 8).to_string(),
                "company_name": company,
                "primary_email": access.grant.account.email,
                "country_code": "DE",
                "currency": "Euro - EUR",
                "iso_code": "EUR",
                "time_zone": "Europe/Berlin",
                "type": "Production",
                "domain_name": format!("org{}", number(&["zoho zgid", company], 8)),
            }] }),
        ))
    }

    fn users(&self, here: &'static Region, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let access = self.opened(here, call, now, &["ZohoCRM.users.READ", "ZohoCRM.users.ALL"])?;
        let account = &access.grant.account;
        let (first, last) = account.names();
        Ok(Answer::json(
            StatusCode::OK,
            &json!({
                "users": [{
                    "id": number(&["zoho user", &account.email], 18).to_string(),
                    "zuid": number(&["zoho zuid", &account.email], 9).to_string(),
                    "full_name": account.name,
                    "first_name": first,
                    "last_name": last,
                    "email": account.email,
                    "status": "active",
                    "confirm": true,
                    "time_zone": "Europe/Berlin",
                    "locale": "en_US",
                }],
                "info": { "per_page": 200, "count": 1, "page": 1, "more_records": false },
            }),
        ))
    }

    fn user_info(&self, here: &'static Region, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let access = self.opened(here, call, now, &["AaaServer.profile.READ", "aaaserver.profile.READ"])?;
        let account = &access.grant.account;
        let (first, last) = account.names();
        Ok(Answer::json(
            StatusCode::OK,
            &json!({
                "First_Name": first,
                "Last_Name": last,
                "Display_Name": account.name,
                "Email": account.email,
                "ZUID": number(&["zoho zuid", &account.email], 9),
            }),
        ))
    }

    /// The token that was shown, if it lives here and has one of the scopes.
    fn opened(
        &self,
        here: &'static Region,
        call: &Call,
        now: Instant,
        scopes: &[&str],
    ) -> Result<&Access<Home>, Answer> {
        if call.header("authorization").is_none() {
            return Err(api_error(StatusCode::UNAUTHORIZED, "AUTHENTICATION_FAILURE", "Authentication failed"));
        }
        let token = call.credential("Zoho-oauthtoken").unwrap_or_default();
        let access = self
            .ledger
            .access(token, now)
            .and_then(|access| if access.grant.site.region == here { Ok(access) } else { Err(NoAccess::Unknown) })
            .map_err(|_| api_error(StatusCode::UNAUTHORIZED, "INVALID_TOKEN", "invalid oauth token"))?;
        if !scopes.iter().any(|wanted| access.scopes.iter().any(|scope| scope == wanted)) {
            return Err(api_error(
                StatusCode::UNAUTHORIZED,
                "OAUTH_SCOPE_MISMATCH",
                "invalid oauth scope to access this URL",
            ));
        }
        Ok(access)
    }
}

/// `/crm/v8/{thing}`, in any version.
fn is_crm(path: &str, thing: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let version = |part: &str| part.strip_prefix('v').is_some_and(|number| number.parse::<f32>().is_ok());
    parts.next() == Some("crm")
        && parts.next().is_some_and(version)
        && parts.next() == Some(thing)
        && parts.next().is_none()
}

/// `Service.group[.sub].OP`
fn is_scope(scope: &str) -> bool {
    let parts: Vec<&str> = scope.split('.').collect();
    let is_word =
        |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (3..=4).contains(&parts.len())
        && parts.iter().all(is_word)
        && parts.last().is_some_and(|last| ["ALL", "READ", "CREATE", "UPDATE", "DELETE", "WRITE"].contains(last))
}

fn secret() -> String {
    format!("1000.{}.{}", unguessable_hex(16), unguessable_hex(16))
}

fn server_info() -> Answer {
    let locations: serde_json::Map<String, Value> = REGIONS
        .iter()
        .map(|region| {
            let server = format!("https://{}", region.accounts);
            (region.location.into(), server.into())
        })
        .collect();
    Answer::json(StatusCode::OK, &json!({ "result": "success", "locations": locations }))
}

/// The trap: what went wrong is said under 200.
fn token_error(error: &str) -> Answer {
    Answer::json(StatusCode::OK, &json!({ "error": error }))
}

fn too_often() -> Answer {
    Answer::json(
        StatusCode::BAD_REQUEST,
        &json!({
            "error": "Access Denied",
            "error_description": "You have made too many requests continuously. Please try again after some time.",
            "status": "failure",
        }),
    )
}

fn api_error(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "code": code, "details": {}, "message": message, "status": "error" }))
}

fn page(title: &str, detail: &str) -> Answer {
    Answer::page(StatusCode::BAD_REQUEST, title, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::{
        OauthOrder,
        testing::{BACK, Scene, call, with},
    };

    const AUTH: &str = "/accounts.zoho.com/oauth/v2/auth";
    const TOKEN: &str = "/accounts.zoho.eu/oauth/v2/token";
    const ASK: [(&str, &str); 7] = [
        ("response_type", "code"),
        ("client_id", "crossdock-zoho"),
        ("redirect_uri", BACK),
        ("scope", "ZohoCRM.modules.ALL,ZohoCRM.org.READ,ZohoCRM.users.READ"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("state", "s t&1"),
    ];

    fn exchange(code: &str) -> Vec<(&str, &str)> {
        vec![
            ("grant_type", "authorization_code"),
            ("client_id", "crossdock-zoho"),
            ("client_secret", "standin-secret-zoho"),
            ("redirect_uri", BACK),
            ("code", code),
        ]
    }

    fn renewal(token: &str) -> Vec<(&str, &str)> {
        vec![
            ("grant_type", "refresh_token"),
            ("client_id", "crossdock-zoho"),
            ("client_secret", "standin-secret-zoho"),
            ("refresh_token", token),
        ]
    }

    async fn code(scene: &Scene, changes: &[(&str, &str)]) -> String {
        scene.visit(AUTH, &with(&ASK, changes)).await.callback()["code"].clone()
    }

    #[tokio::test]
    async fn an_account_is_connected_in_its_own_region() {
        let scene = Scene::open().await;

        let back = scene.visit(AUTH, &ASK).await.callback();
        assert_eq!(back["state"], "s t&1");
        assert_eq!(back["location"], "eu");
        assert_eq!(back["accounts-server"], "https://accounts.zoho.eu");

        let tokens = scene.form(TOKEN, &exchange(&back["code"])).await.json();
        assert_eq!(tokens["api_domain"], "https://www.zohoapis.eu");
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 3600);
        assert_eq!(tokens["scope"], "ZohoCRM.modules.ALL ZohoCRM.org.READ ZohoCRM.users.READ");

        let shown = format!("Zoho-oauthtoken {}", tokens["access_token"].as_str().unwrap());
        let org = scene.get("/www.zohoapis.eu/crm/v8/org", &shown).await.json();
        assert_eq!(org["org"][0]["company_name"], "Brightline GmbH");
        let users = scene.get("/www.zohoapis.eu/crm/v8/users?type=CurrentUser", &shown).await.json();
        assert_eq!(users["users"][0]["full_name"], "Ada Brightline");
        assert_eq!(users["users"][0]["email"], "ada@brightline.example");
    }

    #[tokio::test]
    async fn a_code_is_nothing_at_another_region_and_still_good_at_its_own() {
        let scene = Scene::open().await;
        let code = code(&scene, &[("standin_location", "au")]).await;

        let wrong = scene.form("/accounts.zoho.com/oauth/v2/token", &exchange(&code)).await;
        assert_eq!((wrong.status, &wrong.json()), (200, &json!({ "error": "invalid_code" })));

        let right = scene.form("/accounts.zoho.com.au/oauth/v2/token", &exchange(&code)).await;
        assert_eq!(right.json()["api_domain"], "https://www.zohoapis.com.au");
    }

    #[tokio::test]
    async fn what_goes_wrong_with_tokens_is_said_under_200() {
        let scene = Scene::open().await;
        let code = code(&scene, &[]).await;
        let cases = [
            (("client_id", "other"), "invalid_client"),
            (("client_secret", "wrong"), "invalid_client_secret"),
            (("redirect_uri", "https://app.example/else"), "invalid_redirect_uri"),
            (("code", "1000.x.y"), "invalid_code"),
            (("grant_type", "password"), "general_error"),
        ];

        for (change, error) in cases {
            let reply = scene.form(TOKEN, &with(&exchange(&code), &[change])).await;
            assert_eq!((reply.status, &reply.json()), (200, &json!({ "error": error })));
        }

        assert!(scene.form(TOKEN, &exchange(&code)).await.json()["access_token"].is_string());
        let again = scene.form(TOKEN, &exchange(&code)).await;
        assert_eq!(again.json(), json!({ "error": "invalid_code" }));
    }

    #[tokio::test]
    async fn a_secret_in_the_query_is_not_seen() {
        let scene = Scene::open().await;
        let code = code(&scene, &[]).await;
        let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(exchange(&code)).finish();

        let reply = scene.form(&format!("{TOKEN}?{query}"), &[]).await;

        assert_eq!(reply.json(), json!({ "error": "invalid_client" }));
    }

    #[tokio::test]
    async fn a_refresh_brings_no_refresh_token_and_no_scope() {
        let scene = Scene::open().await;
        let code = code(&scene, &[]).await;
        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();
        let refresh = tokens["refresh_token"].as_str().unwrap();

        let renewed = scene.form(TOKEN, &renewal(refresh)).await.json();

        assert_ne!(renewed["access_token"], tokens["access_token"]);
        assert_eq!(renewed["expires_in"], 3600);
        assert!(renewed.get("refresh_token").is_none());
        assert!(renewed.get("scope").is_none());
    }

    #[tokio::test]
    async fn only_an_offline_consent_brings_a_refresh_token_and_a_second_only_when_asked_again() {
        let scene = Scene::open().await;
        let user = ("standin_user", "bo@brightline.example");
        let consents =
            [(vec![user, ("access_type", "online")], false), (vec![user, ("prompt", "")], false), (vec![user], true)];

        for (changes, refreshable) in consents {
            let code = code(&scene, &changes).await;
            let tokens = scene.form(TOKEN, &exchange(&code)).await.json();
            assert_eq!(tokens.get("refresh_token").is_some(), refreshable, "{changes:?}");
        }
    }

    #[tokio::test]
    async fn the_consent_page_refuses_what_the_app_got_wrong() {
        let scene = Scene::open().await;
        let wrong = [
            ("client_id", "other"),
            ("redirect_uri", "http://app.example/"),
            ("response_type", "token"),
            ("scope", "ZohoCRM.modules.ALL ZohoCRM.org.READ"),
            ("scope", ""),
            ("access_type", "forever"),
            ("standin_location", "moon"),
            ("standin_nonsense", "1"),
        ];

        for change in wrong {
            let reply = scene.visit(AUTH, &with(&ASK, &[change])).await;
            assert_eq!(reply.status, 400, "{change:?}");
            assert!(reply.header("content-type").starts_with("text/html"));
        }
    }

    #[tokio::test]
    async fn a_consent_can_be_denied_expired_or_lie_about_its_server() {
        let scene = Scene::open().await;

        let denied = scene.visit(AUTH, &with(&ASK, &[("standin_deny", "true")])).await.callback();
        assert_eq!(denied["error"], "access_denied");
        assert!(!denied.contains_key("code"));

        let expired = code(&scene, &[("standin_expired_code", "true")]).await;
        let reply = scene.form(TOKEN, &exchange(&expired)).await;
        assert_eq!(reply.json(), json!({ "error": "invalid_code" }));

        let evil = ("standin_accounts_server", "https://accounts.zoho.evil.example");
        let lied = scene.visit(AUTH, &with(&ASK, &[evil])).await.callback();
        assert_eq!(lied["accounts-server"], "https://accounts.zoho.evil.example");
    }

    #[tokio::test]
    async fn the_api_wants_its_own_scheme_its_own_region_and_the_scope() {
        let scene = Scene::open().await;
        let code = code(&scene, &[("standin_without", "ZohoCRM.users.READ")]).await;
        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();
        let token = tokens["access_token"].as_str().unwrap();
        let right = format!("Zoho-oauthtoken {token}");
        let cases = [
            ("/www.zohoapis.eu/crm/v8/org", format!("Bearer {token}"), "INVALID_TOKEN"),
            ("/www.zohoapis.com/crm/v8/org", right.clone(), "INVALID_TOKEN"),
            ("/www.zohoapis.eu/crm/v8/users", right, "OAUTH_SCOPE_MISMATCH"),
        ];

        for (path, shown, code) in cases {
            let reply = scene.get(path, &shown).await;
            assert_eq!((reply.status, reply.json()["code"].as_str()), (401, Some(code)));
        }
        let silent = scene.visit("/www.zohoapis.eu/crm/v8/org", &[]).await;
        assert_eq!(silent.json()["code"], "AUTHENTICATION_FAILURE");
    }

    #[tokio::test]
    async fn a_revoked_token_is_over_and_so_are_its_access_tokens() {
        let scene = Scene::open().await;
        let code = code(&scene, &[]).await;
        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();
        let refresh = tokens["refresh_token"].as_str().unwrap();
        let shown = format!("Zoho-oauthtoken {}", tokens["access_token"].as_str().unwrap());

        let revoked = scene.form("/accounts.zoho.eu/oauth/v2/token/revoke", &[("token", refresh)]).await;

        assert_eq!(revoked.json(), json!({ "status": "success" }));
        let renewed = scene.form(TOKEN, &renewal(refresh)).await;
        assert_eq!((renewed.status, renewed.json()), (200, json!({ "error": "invalid_code" })));
        assert_eq!(scene.get("/www.zohoapis.eu/crm/v8/org", &shown).await.status, 401);
    }

    #[tokio::test]
    async fn a_test_can_expire_the_tokens_of_one_account() {
        let scene = Scene::open().await;
        let code = code(&scene, &[("standin_user", "cy@brightline.example")]).await;
        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();
        let shown = format!("Zoho-oauthtoken {}", tokens["access_token"].as_str().unwrap());
        let expire =
            |user: &str| OauthOrder { expire_access_tokens: true, user: Some(user.into()), ..OauthOrder::default() };

        scene.control.oauth("zoho", &expire("other@brightline.example")).await.unwrap();
        assert_eq!(scene.get("/www.zohoapis.eu/crm/v8/org", &shown).await.status, 200);

        scene.control.oauth("zoho", &expire("cy@brightline.example")).await.unwrap();
        assert_eq!(scene.get("/www.zohoapis.eu/crm/v8/org", &shown).await.status, 401);
    }

    #[tokio::test]
    async fn the_old_form_of_expiry_counts_milliseconds() {
        let scene = Scene::open().await;
        let code = code(&scene, &[("standin_expires_in_sec", "true")]).await;

        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();

        assert_eq!(tokens["expires_in_sec"], 3600);
        assert_eq!(tokens["expires_in"], 3_600_000);
    }

    #[test]
    fn the_eleventh_refresh_in_ten_minutes_is_denied_for_the_rest_of_them() {
        let (mut zoho, start) = (Zoho::default(), Instant::now());
        let refresh = connect(&mut zoho, "", start);
        let mut renew = |at| post(&mut zoho, TOKEN, &renewal(&refresh), at);

        for second in 0..10 {
            assert!(renew(start + Duration::from_secs(second)).1.contains("access_token"));
        }
        let (status, body) = renew(start + Duration::from_secs(599));
        assert_eq!(status, 400);
        assert!(body.contains("Access Denied"), "{body}");
        assert!(renew(start + Duration::from_secs(600)).1.contains("access_token"));
    }

    #[test]
    fn a_user_of_ones_own_has_five_refresh_tokens_a_minute_and_twenty_in_all() {
        let (mut zoho, start) = (Zoho::default(), Instant::now());
        let user = "&standin_user=di%40brightline.example";
        let at = |number: u64| start + Duration::from_secs(13 * number);
        let tokens: Vec<String> = (0..21).map(|n| connect(&mut zoho, user, at(n))).collect();

        let (_, oldest) = post(&mut zoho, TOKEN, &renewal(&tokens[0]), at(21));
        assert!(oldest.contains("invalid_code"));
        let (_, second) = post(&mut zoho, TOKEN, &renewal(&tokens[1]), at(21));
        assert!(second.contains("access_token"));

        let soon = at(100);
        for _ in 0..5 {
            connect(&mut zoho, user, soon);
        }
        let code = consent(&mut zoho, user, soon);
        let (_, sixth) = post(&mut zoho, TOKEN, &exchange(&code), soon);
        assert!(sixth.contains("Access Denied"));
    }

    fn consent(zoho: &mut Zoho, more: &str, at: Instant) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(ASK).finish();
        let answer = zoho.answer(&call("GET", &format!("{AUTH}?{query}{more}"), ""), at);
        let location = url::Url::parse(answer.find_header("location").unwrap()).unwrap();
        let (_, code) = location.query_pairs().find(|(name, _)| name == "code").unwrap();
        code.into_owned()
    }

    fn connect(zoho: &mut Zoho, more: &str, at: Instant) -> String {
        let code = consent(zoho, more, at);
        let (_, body) = post(zoho, TOKEN, &exchange(&code), at);
        let tokens: Value = serde_json::from_str(&body).unwrap();
        tokens["refresh_token"].as_str().unwrap().to_owned()
    }

    fn post(zoho: &mut Zoho, path: &str, form: &[(&str, &str)], at: Instant) -> (u16, String) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut call = call("POST", path, &body);
        let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
        call.headers.insert("content-type", form);
        let answer = zoho.answer(&call, at);
        (answer.status.as_u16(), answer.text_body())
    }
}
