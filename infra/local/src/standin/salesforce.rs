//! Salesforce: three kinds of login host, PKCE always, no `expires_in`, an identity URL and a signature.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    call::{Answer, Call, either},
    oauth::{
        Access, Account, Exchange, Grant, Ledger, Refusal, Stranger, challenge, epoch_seconds, id_token, letters,
        unguessable, words,
    },
};

const CODE_LIFE: Duration = Duration::from_secs(900);
/// The session time-out of the org, which the token reply does not tell.
const SESSION_SECONDS: u64 = 7200;

const SCOPES: [&str; 17] = [
    "address",
    "api",
    "cdp_api",
    "chatter_api",
    "content",
    "custom_permissions",
    "email",
    "full",
    "id",
    "lightning",
    "offline_access",
    "openid",
    "phone",
    "profile",
    "refresh_token",
    "visualforce",
    "web",
];

/// An org, known by its My Domain.
pub(super) struct Org {
    instance: String,
    sandbox: bool,
}

impl Org {
    fn login_host(&self) -> &'static str {
        if self.sandbox { "test.salesforce.com" } else { "login.salesforce.com" }
    }

    /// May a code or token of this org be shown at this host?
    fn is_behind(&self, host: &str) -> bool {
        host == self.instance || host == self.login_host()
    }

    /// 15 characters, as access tokens begin with.
    fn id(&self) -> String {
        format!("00D{}", letters(&["salesforce org", &self.instance], 12))
    }
}

pub(super) fn plays(host: &str) -> bool {
    is_generic(host) || host.ends_with(".my.salesforce.com")
}

fn is_generic(host: &str) -> bool {
    host == "login.salesforce.com" || host == "test.salesforce.com"
}

pub(super) struct Salesforce {
    pub(super) ledger: Ledger<Org>,
}

impl Default for Salesforce {
    fn default() -> Self {
        Self { ledger: Ledger::of("salesforce") }
    }
}

impl Salesforce {
    pub(super) fn answer(&mut self, call: &Call, now: Instant) -> Answer {
        match call.target() {
            ("GET", "/services/oauth2/authorize") => either(self.authorize(call, now)),
            ("POST", "/services/oauth2/token") => either(self.token(call, now)),
            ("POST" | "GET", "/services/oauth2/revoke") => self.revoke(call),
            ("GET" | "POST", "/services/oauth2/userinfo") => either(self.user_info(call, now)),
            ("GET", path) if path.starts_with("/id/") => either(self.identity(call, now)),
            ("GET", path) if is_query(path) => either(self.query(call, now)),
            _ => Answer::json(
                StatusCode::NOT_FOUND,
                &json!([{
                    "errorCode": "NOT_FOUND",
                    "message": "The requested resource does not exist",
                }]),
            ),
        }
    }

    fn authorize(&mut self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let query = &call.query;
        if !self.ledger.knows(query.text("client_id")) {
            return Err(page("invalid_client_id", "client identifier invalid"));
        }
        let back = self
            .ledger
            .redirect(query.text("redirect_uri"))
            .ok_or_else(|| page("redirect_uri_mismatch", "redirect_uri must match configuration"))?;
        if query.find("response_type") != Some("code") {
            return Err(page("unsupported_response_type", "response type not supported"));
        }
        // Without a scope parameter all scopes of the app are granted.
        let mut scopes = match query.find("scope") {
            Some(scope) => words(scope),
            None => words("api id refresh_token"),
        };
        if scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
            return Err(page("invalid_scope", "the requested scope is not allowed"));
        }
        let state = query.find("state");
        let failed = |error: &str, description: &str| {
            Answer::back_to(
                &back,
                &[("error", Some(error)), ("error_description", Some(description)), ("state", state)],
            )
        };
        let challenge = challenge(call)
            .map_err(|reason| failed("invalid_request", reason))?
            .ok_or_else(|| failed("invalid_request", "missing required code challenge"))?;

        let (consent, account) = self.ledger.consent(query)?;
        if consent.deny {
            return Ok(failed("access_denied", "end-user denied authorization"));
        }
        if let Some(error) = &consent.error {
            return Ok(failed(error, error));
        }

        scopes.retain(|scope| !consent.without.contains(scope));
        let code = format!("aPrx{}", unguessable(32));
        let expires = if consent.expired_code { now } else { now + CODE_LIFE };
        self.ledger.allow(
            &code,
            Grant {
                client_id: query.text("client_id").into(),
                site: Org { instance: instance(&call.host, &account), sandbox: is_sandbox(&call.host) },
                account,
                scopes,
                consent,
            },
            query.text("redirect_uri"),
            Some(challenge),
            expires,
        );
        Ok(Answer::back_to(&back, &[("code", Some(&code)), ("state", state)]))
    }

    fn token(&mut self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let form = call.form();
        let grant_type = form.find("grant_type");
        if !matches!(grant_type, Some("authorization_code" | "refresh_token")) {
            return Err(token_error("unsupported_grant_type", "grant type not supported"));
        }
        let client_id = self.ledger.client(&form).map_err(|stranger| match stranger {
            Stranger::Unknown => token_error("invalid_client_id", "client identifier invalid"),
            Stranger::WrongSecret => token_error("invalid_client", "invalid client credentials"),
        })?;
        let secret = form.text("client_secret");

        if grant_type == Some("refresh_token") {
            return self.refresh(call, client_id, secret, form.text("refresh_token"), now);
        }
        let code = form.text("code");
        let lives_here = self.ledger.grant_of_code(code).is_some_and(|grant| grant.site.is_behind(&call.host));
        if !lives_here {
            return Err(refused(Refusal::Unknown));
        }
        let shown =
            Exchange { client_id, code, redirect_uri: form.text("redirect_uri"), verifier: form.find("code_verifier") };
        let grant = self.ledger.redeem(&shown, now).map_err(refused)?;

        let refresh_token = is_refreshable(&grant).then(refresh_token);
        if let Some(token) = &refresh_token {
            self.ledger.keep(token, &grant, now);
            if grant.account.has_quotas {
                self.ledger.drop_oldest_refresh(&grant, 5);
            }
        }
        let mut reply = self.mint(&grant, secret, refresh_token.as_deref(), now);
        if let Some(token) = refresh_token {
            reply["refresh_token"] = token.into();
        }
        if grant.has("openid") {
            reply["id_token"] = id_token(&claims(&grant)).into();
        }
        Ok(Answer::json(StatusCode::OK, &reply))
    }

    fn refresh(
        &mut self,
        call: &Call,
        client_id: &str,
        secret: &str,
        token: &str,
        now: Instant,
    ) -> Result<Answer, Answer> {
        let grant = self
            .ledger
            .find_refresh(token, client_id)
            .map(|refresh| refresh.grant.clone())
            .filter(|grant| grant.site.is_behind(&call.host))
            .ok_or_else(|| token_error("invalid_grant", "expired access/refresh token"))?;
        let rotated = grant.consent.rotate.then(refresh_token);
        if let Some(new) = &rotated {
            self.ledger.forget_refresh(token);
            self.ledger.keep(new, &grant, now);
        }
        let kept = rotated.as_deref().unwrap_or(token);
        let mut reply = self.mint(&grant, secret, Some(kept), now);
        if let Some(new) = rotated {
            reply["refresh_token"] = new.into();
        }
        Ok(Answer::json(StatusCode::OK, &reply))
    }

    fn mint(&mut self, grant: &Arc<Grant<Org>>, secret: &str, refresh: Option<&str>, now: Instant) -> Value {
        let token = format!("{}!AQ8AQ{}", grant.site.id(), unguessable(69));
        let expires = now + Duration::from_secs(grant.life(SESSION_SECONDS));
        self.ledger.mint(&token, grant, &grant.scopes, refresh, expires, now);

        let id = identity_url(grant);
        let issued_at = Timestamp::now().as_millisecond().to_string();
        json!({
            "access_token": token,
            "signature": signature(secret, &id, &issued_at),
            "scope": grant.scopes.join(" "),
            "instance_url": format!("https://{}", grant.site.instance),
            "id": id,
            "token_type": "Bearer",
            "issued_at": issued_at,
        })
    }

    fn revoke(&mut self, call: &Call) -> Answer {
        let form = call.form();
        let token = form.find("token").or(call.query.find("token"));
        let lives_here = token.is_some_and(|token| {
            self.ledger.grant_of_token(token).is_some_and(|grant| grant.site.is_behind(&call.host))
        });
        if lives_here && token.is_some_and(|token| self.ledger.revoke(token)) {
            Answer::empty(StatusCode::OK)
        } else {
            token_error("unsupported_token_type", "this token type is not supported")
        }
    }

    /// Every API call goes to the instance, never to the login host.
    fn user_info(&self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let access = self.opened(call, now)?;
        if access.grant.site.instance != call.host {
            return Err(forbidden("Wrong_Org"));
        }
        let grant = &access.grant;
        let mut info = person(grant);
        info["sub"] = identity_url(grant).into();
        info["preferred_username"] = grant.account.email.clone().into();
        info["name"] = grant.account.name.clone().into();
        Ok(Answer::json(StatusCode::OK, &info))
    }

    /// The identity URL of a token reply, on either host.
    fn identity(&self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let access = self.opened(call, now)?;
        let grant = &access.grant;
        let url = identity_url(grant);
        if !grant.site.is_behind(&call.host) {
            return Err(forbidden("Wrong_Org"));
        }
        if !url.ends_with(&call.path) {
            return Err(Answer::text(StatusCode::NOT_FOUND, "Bad_Id"));
        }
        let mut info = person(grant);
        info["id"] = url.into();
        info["asserted_user"] = true.into();
        info["username"] = grant.account.email.clone().into();
        info["display_name"] = grant.account.name.clone().into();
        Ok(Answer::json(StatusCode::OK, &info))
    }

    fn opened(&self, call: &Call, now: Instant) -> Result<&Access<Org>, Answer> {
        let token = call.credential("Bearer").ok_or_else(|| forbidden("Missing_OAuth_Token"))?;
        self.ledger
            .access(token, now)
            .ok()
            .filter(|access| {
                let about_the_user = ["id", "openid", "profile", "full"];
                about_the_user.iter().any(|wanted| access.scopes.iter().any(|scope| scope == wanted))
            })
            .ok_or_else(|| forbidden("Bad_OAuth_Token"))
    }

    /// SOQL about the organisation itself, which is where its name is.
    fn query(&self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let expired = || api_error(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", "Session expired or invalid");
        let token = call.credential("Bearer").unwrap_or_default();
        let access = self.ledger.access(token, now).map_err(|_| expired())?;
        let grant = &access.grant;
        if grant.site.instance != call.host {
            return Err(expired());
        }
        if !grant.has("api") && !grant.has("full") {
            return Err(api_error(
                StatusCode::FORBIDDEN,
                "API_DISABLED_FOR_ORG",
                "The REST API is not enabled for this Organization.",
            ));
        }
        let soql = call.query.text("q").to_ascii_lowercase();
        if !soql.split_whitespace().any(|word| word == "organization") {
            return Err(api_error(StatusCode::BAD_REQUEST, "INVALID_TYPE", "sObject type is not supported."));
        }
        let id = long_id(&grant.site.id());
        Ok(Answer::json(
            StatusCode::OK,
            &json!({
                "totalSize": 1,
                "done": true,
                "records": [{
                    "attributes": {
                        "type": "Organization",
                        "url": format!("/services/data/v67.0/sobjects/Organization/{id}"),
                    },
                    "Id": id,
                    "Name": grant.account.company,
                    "IsSandbox": grant.site.sandbox,
                    "OrganizationType": "Enterprise Edition",
                }],
            }),
        ))
    }
}

fn is_sandbox(host: &str) -> bool {
    host == "test.salesforce.com" || host.ends_with(".sandbox.my.salesforce.com")
}

/// My Domain itself, or the one that the account's company has.
fn instance(login_host: &str, account: &Account) -> String {
    if !is_generic(login_host) {
        return login_host.into();
    }
    let name: String = account
        .company
        .split_whitespace()
        .next()
        .unwrap_or("acme")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let name = name.to_ascii_lowercase();
    if is_sandbox(login_host) {
        format!("{name}--uat.sandbox.my.salesforce.com")
    } else {
        format!("{name}.my.salesforce.com")
    }
}

fn is_query(path: &str) -> bool {
    path.strip_prefix("/services/data/v")
        .and_then(|rest| rest.strip_suffix("/query").or(rest.strip_suffix("/query/")))
        .is_some_and(|version| version.parse::<f32>().is_ok())
}

fn is_refreshable(grant: &Grant<Org>) -> bool {
    grant.has("refresh_token") || grant.has("offline_access")
}

fn refresh_token() -> String {
    format!("5Aep861{}", unguessable(56))
}

fn user_id(account: &Account) -> String {
    long_id(&format!("005{}", letters(&["salesforce user", &account.email], 12)))
}

fn identity_url(grant: &Grant<Org>) -> String {
    format!("https://{}/id/{}/{}", grant.site.login_host(), long_id(&grant.site.id()), user_id(&grant.account),)
}

/// What userinfo and the identity URL have in common.
fn person(grant: &Grant<Org>) -> Value {
    let (first, last) = grant.account.names();
    json!({
        "user_id": user_id(&grant.account),
        "organization_id": long_id(&grant.site.id()),
        "nickname": first.to_ascii_lowercase(),
        "given_name": first,
        "family_name": last,
        "email": grant.account.email,
        "email_verified": true,
        "zoneinfo": "Europe/Berlin",
        "locale": "en_US",
        "language": "en_US",
        "user_type": "STANDARD",
        "active": true,
    })
}

fn claims(grant: &Grant<Org>) -> Value {
    let now = epoch_seconds();
    json!({
        "iss": format!("https://{}", grant.site.login_host()),
        "sub": identity_url(grant),
        "aud": grant.client_id,
        "iat": now,
        "exp": now + 120,
    })
}

/// `base64(HMAC-SHA256(client secret, id + issued_at))`
fn signature(secret: &str, id: &str, issued_at: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(id.as_bytes());
    mac.update(issued_at.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

/// The 18 characters that do not depend on case: three more, each for the capitals among five.
fn long_id(short: &str) -> String {
    let suffix = short.as_bytes().chunks(5).map(|five| {
        let capitals = five
            .iter()
            .enumerate()
            .filter(|(_, byte)| byte.is_ascii_uppercase())
            .fold(0, |bits, (place, _)| bits | 1 << place);
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[capitals])
    });
    short.chars().chain(suffix).collect()
}

fn refused(refusal: Refusal) -> Answer {
    let (error, description) = match refusal {
        Refusal::Unknown | Refusal::OtherClient | Refusal::Used => ("invalid_grant", "invalid authorization code"),
        Refusal::Expired => ("invalid_grant", "expired authorization code"),
        Refusal::OtherRedirect => ("redirect_uri_mismatch", "redirect_uri must match configuration"),
        Refusal::VerifierMissing => ("invalid_grant", "missing required code verifier"),
        Refusal::VerifierUnexpected => ("invalid_grant", "unexpected code verifier"),
        Refusal::VerifierWrong => ("invalid_code_verifier", "invalid code verifier"),
    };
    token_error(error, description)
}

fn token_error(error: &str, description: &str) -> Answer {
    Answer::json(StatusCode::BAD_REQUEST, &json!({ "error": error, "error_description": description }))
}

fn api_error(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!([{ "message": message, "errorCode": code }]))
}

fn forbidden(word: &str) -> Answer {
    Answer::text(StatusCode::FORBIDDEN, word)
}

fn page(error: &str, detail: &str) -> Answer {
    Answer::page(
        StatusCode::BAD_REQUEST,
        "We can't authorize you because of an OAuth error",
        &format!("error={error} error_description={detail}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::testing::{BACK, Scene, VERIFIER, s256, with};

    const AUTH: &str = "/login.salesforce.com/services/oauth2/authorize";
    const TOKEN: &str = "/login.salesforce.com/services/oauth2/token";

    async fn consent(scene: &Scene, path: &str, changes: &[(&str, &str)]) -> super::super::testing::Reply {
        let challenge = s256();
        let ask = [
            ("response_type", "code"),
            ("client_id", "crossdock-salesforce"),
            ("redirect_uri", BACK),
            ("scope", "api id refresh_token"),
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
            ("code", code),
            ("client_id", "crossdock-salesforce"),
            ("client_secret", "standin-secret-salesforce"),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ]
    }

    fn renewal(token: &str) -> Vec<(&str, &str)> {
        vec![
            ("grant_type", "refresh_token"),
            ("client_id", "crossdock-salesforce"),
            ("client_secret", "standin-secret-salesforce"),
            ("refresh_token", token),
        ]
    }

    fn bearer(tokens: &Value) -> String {
        format!("Bearer {}", tokens["access_token"].as_str().unwrap())
    }

    #[tokio::test]
    async fn an_org_is_connected_and_tells_who_it_is() {
        let scene = Scene::open().await;
        let code = code(&scene, &[]).await;

        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();

        assert!(tokens.get("expires_in").is_none());
        assert_eq!(tokens["instance_url"], "https://brightline.my.salesforce.com");
        let issued_at = tokens["issued_at"].as_str().unwrap();
        assert_eq!(issued_at.len(), 13);
        let id = tokens["id"].as_str().unwrap();
        assert_eq!(tokens["signature"], signature("standin-secret-salesforce", id, issued_at));
        let org = id.split('/').nth(4).unwrap();
        assert_eq!(org.len(), 18);
        assert!(tokens["access_token"].as_str().unwrap().starts_with(&format!("{}!", &org[..15])));

        let shown = bearer(&tokens);
        let info = scene.get("/brightline.my.salesforce.com/services/oauth2/userinfo", &shown).await.json();
        assert_eq!(info["email"], "ada@brightline.example");
        assert_eq!(info["organization_id"], org);
        let identity = scene.get(&id.replacen("https:/", "", 1), &shown).await.json();
        assert_eq!(identity["display_name"], "Ada Brightline");
        let query = "/brightline.my.salesforce.com/services/data/v67.0/query?q=SELECT+Id,+Name+FROM+Organization";
        let rows = scene.get(query, &shown).await.json();
        assert_eq!(rows["records"][0]["Name"], "Brightline GmbH");
    }

    #[tokio::test]
    async fn sandboxes_and_my_domains_have_instances_of_their_own() {
        let scene = Scene::open().await;
        let hosts = [
            ("test.salesforce.com", "brightline--uat.sandbox.my.salesforce.com"),
            ("acme.my.salesforce.com", "acme.my.salesforce.com"),
            ("acme--dev.sandbox.my.salesforce.com", "acme--dev.sandbox.my.salesforce.com"),
        ];

        for (login, instance) in hosts {
            let path = format!("/{login}/services/oauth2/authorize");
            let code = consent(&scene, &path, &[]).await.callback()["code"].clone();
            let token = format!("/{login}/services/oauth2/token");
            let tokens = scene.form(&token, &exchange(&code)).await.json();
            assert_eq!(tokens["instance_url"], format!("https://{instance}"));
        }
        let lightning = "/acme.lightning.force.com/services/oauth2/authorize";
        assert_eq!(consent(&scene, lightning, &[]).await.status, 404);
    }

    #[tokio::test]
    async fn a_sandbox_code_is_nothing_in_production() {
        let scene = Scene::open().await;
        let path = "/test.salesforce.com/services/oauth2/authorize";
        let code = consent(&scene, path, &[]).await.callback()["code"].clone();

        let reply = scene.form(TOKEN, &exchange(&code)).await;

        assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some("invalid_grant")));
    }

    #[tokio::test]
    async fn there_is_no_way_around_pkce() {
        let scene = Scene::open().await;
        for changes in [
            vec![("code_challenge", ""), ("code_challenge_method", "")],
            vec![("code_challenge_method", "plain")],
            vec![("code_challenge_method", "")],
            vec![("code_challenge", "short")],
        ] {
            let back = consent(&scene, AUTH, &changes).await.callback();
            assert_eq!(back["error"], "invalid_request", "{changes:?}");
            assert_eq!(back["state"], "st");
        }

        let code = code(&scene, &[]).await;
        let other = "x".repeat(43);
        for (verifier, error) in [("", "invalid_grant"), (other.as_str(), "invalid_code_verifier")] {
            let reply = scene.form(TOKEN, &with(&exchange(&code), &[("code_verifier", verifier)])).await;
            assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some(error)));
        }
        assert_eq!(scene.form(TOKEN, &exchange(&code)).await.status, 200);
    }

    #[tokio::test]
    async fn codes_work_once_for_their_app_at_their_address_in_time() {
        let scene = Scene::open().await;
        let good = code(&scene, &[]).await;
        let expired = code(&scene, &[("standin_expired_code", "true")]).await;
        let cases = [
            (good.as_str(), ("redirect_uri", "https://app.example/else"), "redirect_uri_mismatch"),
            (good.as_str(), ("client_id", "other"), "invalid_client_id"),
            (good.as_str(), ("client_secret", "wrong"), "invalid_client"),
            (good.as_str(), ("grant_type", "password"), "unsupported_grant_type"),
            (expired.as_str(), ("redirect_uri", BACK), "invalid_grant"),
            ("unknown", ("redirect_uri", BACK), "invalid_grant"),
        ];

        for (code, change, error) in cases {
            let reply = scene.form(TOKEN, &with(&exchange(code), &[change])).await;
            assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some(error)));
        }
        assert_eq!(scene.form(TOKEN, &exchange(&good)).await.status, 200);
        let again = scene.form(TOKEN, &exchange(&good)).await;
        assert_eq!(again.json()["error"], "invalid_grant");
    }

    #[tokio::test]
    async fn refresh_tokens_stay_unless_they_rotate_and_then_die_at_once() {
        let scene = Scene::open().await;
        for rotate in ["false", "true"] {
            let code = code(&scene, &[("standin_rotate", rotate)]).await;
            let tokens = scene.form(TOKEN, &exchange(&code)).await.json();
            let old = tokens["refresh_token"].as_str().unwrap();

            let renewed = scene.form(TOKEN, &renewal(old)).await.json();
            let again = scene.form(TOKEN, &renewal(old)).await;

            assert!(renewed["access_token"].is_string());
            assert_eq!(renewed.get("refresh_token").is_some(), rotate == "true");
            assert_eq!(again.status, if rotate == "true" { 400 } else { 200 });
        }
    }

    #[tokio::test]
    async fn without_the_refresh_scope_there_is_no_refresh_token() {
        let scene = Scene::open().await;
        let code = code(&scene, &[("scope", "api openid")]).await;

        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();

        assert!(tokens.get("refresh_token").is_none());
        assert_eq!(tokens["id_token"].as_str().unwrap().split('.').count(), 3);
    }

    #[tokio::test]
    async fn denials_come_back_and_mistakes_do_not() {
        let scene = Scene::open().await;

        let denied = consent(&scene, AUTH, &[("standin_deny", "true")]).await.callback();
        assert_eq!(denied["error"], "access_denied");
        assert_eq!(denied["error_description"], "end-user denied authorization");

        for change in [("client_id", "other"), ("redirect_uri", "/x"), ("scope", "admin")] {
            assert_eq!(consent(&scene, AUTH, &[change]).await.status, 400, "{change:?}");
        }
    }

    #[tokio::test]
    async fn an_ended_session_is_told_in_two_ways() {
        let scene = Scene::open().await;
        let code = code(&scene, &[]).await;
        let tokens = scene.form(TOKEN, &exchange(&code)).await.json();
        let shown = bearer(&tokens);
        let revoke = "/login.salesforce.com/services/oauth2/revoke";
        let token = tokens["refresh_token"].as_str().unwrap();

        let at_login = scene.get("/login.salesforce.com/services/oauth2/userinfo", &shown).await;
        assert_eq!((at_login.status, at_login.text.as_str()), (403, "Wrong_Org"));
        assert_eq!(scene.form(revoke, &[("token", token)]).await.status, 200);

        let info = scene.get("/brightline.my.salesforce.com/services/oauth2/userinfo", &shown).await;
        assert_eq!((info.status, info.text.as_str()), (403, "Bad_OAuth_Token"));
        let query = "/brightline.my.salesforce.com/services/data/v67.0/query?q=SELECT+Name+FROM+Organization";
        let data = scene.get(query, &shown).await;
        assert_eq!(data.status, 401);
        assert_eq!(data.json()[0]["errorCode"], "INVALID_SESSION_ID");
        assert_eq!(scene.form(TOKEN, &renewal(token)).await.json()["error"], "invalid_grant");
        assert_eq!(scene.form(revoke, &[("token", token)]).await.status, 400);
    }

    #[tokio::test]
    async fn the_sixth_approval_of_a_user_ends_the_first() {
        let scene = Scene::open().await;
        let mut tokens = vec![];
        for _ in 0..6 {
            let code = code(&scene, &[("standin_user", "eve@brightline.example")]).await;
            let reply = scene.form(TOKEN, &exchange(&code)).await.json();
            tokens.push(reply["refresh_token"].as_str().unwrap().to_owned());
        }

        assert_eq!(scene.form(TOKEN, &renewal(&tokens[0])).await.status, 400);
        assert_eq!(scene.form(TOKEN, &renewal(&tokens[1])).await.status, 200);
    }

    #[test]
    fn long_ids_end_in_the_capitals_of_short_ones() {
        assert_eq!(long_id("001D000000IqhSL"), "001D000000IqhSLIAZ");
    }
}
