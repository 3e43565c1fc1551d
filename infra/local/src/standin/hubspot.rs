//! HubSpot: scopes that must be exactly the app's, secrets in the body only, fields of two generations in errors.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Fields, either},
    oauth::{
        Exchange, Grant, Ledger, NoAccess, Refusal, Stranger, challenge, guid, new_guid, number, unguessable, words,
    },
};

const CODE_LIFE: Duration = Duration::from_secs(60);
const ACCESS_SECONDS: u64 = 1800;
const APP_ID: u64 = 1_160_452;

/// What the app declares as required: each must be asked for, in `scope`, and no others.
const REQUIRED: [&str; 11] = [
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
];

/// What it declares as optional: may be asked for, in `optional_scope`.
const OPTIONAL: [&str; 2] = ["crm.objects.leads.read", "crm.objects.leads.write"];

pub(super) fn plays(host: &str) -> bool {
    is_app(host) || host == "api.hubapi.com"
}

fn is_app(host: &str) -> bool {
    host == "app.hubspot.com" || host == "app-eu1.hubspot.com"
}

pub(super) struct HubSpot {
    pub(super) ledger: Ledger<()>,
}

impl Default for HubSpot {
    fn default() -> Self {
        Self { ledger: Ledger::of("hubspot") }
    }
}

impl HubSpot {
    pub(super) fn answer(&mut self, call: &Call, now: Instant) -> Answer {
        if is_app(&call.host) {
            return match call.target() {
                ("GET", "/oauth/authorize") => either(self.authorize(call, now)),
                _ => Answer::page(StatusCode::NOT_FOUND, "HubSpot", "Page not found"),
            };
        }
        match call.target() {
            ("POST", "/oauth/2026-03/token" | "/oauth/v3/token" | "/oauth/2026-09/token") => {
                either(self.token(call, now))
            }
            (
                "POST",
                "/oauth/2026-03/token/introspect" | "/oauth/v3/token/introspect" | "/oauth/2026-09/token/introspect",
            ) => either(self.introspect(call, now)),
            ("POST", "/oauth/2026-03/token/revoke" | "/oauth/v3/token/revoke" | "/oauth/2026-09/token/revoke") => {
                either(self.revoke(call))
            }
            ("GET", "/account-info/2026-03/details" | "/account-info/v3/details") => either(self.account(call, now)),
            _ => api_error(StatusCode::NOT_FOUND, "OBJECT_NOT_FOUND", "resource not found"),
        }
    }

    /// There is no `response_type` here: HubSpot knows only codes.
    fn authorize(&mut self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let query = &call.query;
        if !self.ledger.knows(query.text("client_id")) {
            return Err(page("We couldn't find an app with this client_id."));
        }
        let back = self
            .ledger
            .redirect(query.text("redirect_uri"))
            .ok_or_else(|| page("The redirect_uri doesn't match the ones of the app."))?;
        let mut scopes = words(query.text("scope"));
        scopes.extend(words(query.text("optional_scope")));
        check_scopes(query)?;
        let challenge = challenge(call).map_err(page)?;

        let state = query.find("state");
        let (consent, account) = self.ledger.consent(query)?;
        let error = consent.error.as_deref().or(consent.deny.then_some("access_denied"));
        if let Some(error) = error {
            let description = if consent.deny { "The user denied access to the application." } else { error };
            return Ok(Answer::back_to(
                &back,
                &[("error", Some(error)), ("error_description", Some(description)), ("state", state)],
            ));
        }

        scopes.retain(|scope| !consent.without.contains(scope));
        let code = format!("na1-{}", new_guid());
        let expires = if consent.expired_code { now } else { now + CODE_LIFE };
        self.ledger.allow(
            &code,
            Grant { client_id: query.text("client_id").into(), account, scopes, consent, site: () },
            query.text("redirect_uri"),
            challenge,
            expires,
        );
        Ok(Answer::back_to(&back, &[("code", Some(&code)), ("state", state)]))
    }

    fn token(&mut self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let form = call.form();
        let client_id = self.client(call, &form)?;
        match form.text("grant_type") {
            "authorization_code" => {
                let shown = Exchange {
                    client_id,
                    code: form.text("code"),
                    redirect_uri: form.text("redirect_uri"),
                    verifier: form.find("code_verifier"),
                };
                let grant = self.ledger.redeem(&shown, now).map_err(refused)?;
                let refresh = format!("na1-{}", new_guid());
                self.ledger.keep(&refresh, &grant, now);
                Ok(self.mint(&grant, &refresh, now))
            }
            "refresh_token" => {
                let token = form.text("refresh_token");
                let grant =
                    self.ledger.find_refresh(token, client_id).map(|refresh| refresh.grant.clone()).ok_or_else(
                        || {
                            oauth_error(
                                "invalid_grant",
                                "BAD_REFRESH_TOKEN",
                                "refresh token is invalid, expired or revoked",
                            )
                        },
                    )?;
                Ok(self.mint(&grant, token, now))
            }
            _ => Err(oauth_error("unsupported_grant_type", "BAD_GRANT_TYPE", "missing or unknown grant type")),
        }
    }

    /// The same refresh token comes back each time.
    fn mint(&mut self, grant: &Arc<Grant<()>>, refresh: &str, now: Instant) -> Answer {
        let token = format!("CKDZ{}", unguessable(240));
        let seconds = grant.life(ACCESS_SECONDS);
        let expires = now + Duration::from_secs(seconds);
        self.ledger.mint(&token, grant, &grant.scopes, Some(refresh), expires, now);
        Answer::json(
            StatusCode::OK,
            &json!({
                "token_type": "bearer",
                "access_token": token,
                "refresh_token": refresh,
                "expires_in": seconds,
                "hub_id": hub_id(grant),
                "scopes": grant.scopes,
                "user_id": user_id(grant),
                "token_use": "access_token",
            }),
        )
    }

    fn introspect(&mut self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let form = call.form();
        let client_id = self.client(call, &form)?;
        let token = form.text("token");

        let live = match form.text("token_type_hint") {
            "refresh_token" => self.ledger.find_refresh(token, client_id).map(|refresh| {
                let mut facts = facts(&refresh.grant);
                facts["token_use"] = "refresh_token".into();
                facts["token_type"] = "refresh".into();
                facts
            }),
            _ => {
                self.ledger.access(token, now).ok().filter(|access| access.grant.client_id == client_id).map(|access| {
                    let mut facts = facts(&access.grant);
                    facts["token_use"] = "access_token".into();
                    facts["token_type"] = "access".into();
                    facts["expires_in"] = access.expires.duration_since(now).as_secs().into();
                    facts["signed_access_token"] = json!({
                        "hublet": "eu1",
                        "hubId": hub_id(&access.grant),
                        "userId": user_id(&access.grant),
                        "appId": APP_ID,
                    });
                    facts
                })
            }
        };
        Ok(Answer::json(StatusCode::OK, &live.unwrap_or_else(|| json!({ "active": false }))))
    }

    /// Access tokens that came from the refresh token live on until they expire.
    fn revoke(&mut self, call: &Call) -> Result<Answer, Answer> {
        let form = call.form();
        let client_id = self.client(call, &form)?;
        let token = form.text("token");
        if self.ledger.find_refresh(token, client_id).is_some() {
            self.ledger.forget_refresh(token);
        }
        Ok(Answer::empty(StatusCode::OK))
    }

    fn account(&self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let token = call.credential("Bearer").unwrap_or_default();
        let access = self.ledger.access(token, now).map_err(|no| match no {
            NoAccess::Unknown => api_error(
                StatusCode::UNAUTHORIZED,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
            ),
            NoAccess::Expired => api_error(
                StatusCode::UNAUTHORIZED,
                "EXPIRED_AUTHENTICATION",
                "The OAuth token used to make this call expired 1 second(s) ago.",
            ),
        })?;
        Ok(Answer::json(
            StatusCode::OK,
            &json!({
                "portalId": hub_id(&access.grant),
                "accountType": "STANDARD",
                "timeZone": "Europe/Berlin",
                "companyCurrency": "EUR",
                "additionalCurrencies": [],
                "utcOffset": "+01:00",
                "utcOffsetMilliseconds": 3_600_000,
                "uiDomain": "app-eu1.hubspot.com",
                "dataHostingLocation": "eu1",
            }),
        ))
    }

    fn client<'a>(&self, call: &Call, form: &'a Fields) -> Result<&'a str, Answer> {
        let in_query =
            ["client_secret", "code", "refresh_token", "token"].iter().find(|name| call.query.find(name).is_some());
        if let Some(name) = in_query {
            return Err(oauth_error("invalid_request", "BAD_REQUEST", &format!("{name} must be sent in the body")));
        }
        self.ledger.client(form).map_err(|stranger| match stranger {
            Stranger::Unknown => oauth_error("invalid_client", "BAD_CLIENT_ID", "missing or unknown client id"),
            Stranger::WrongSecret => {
                oauth_error("invalid_client", "BAD_CLIENT_SECRET", "missing or invalid client secret")
            }
        })
    }
}

fn check_scopes(query: &Fields) -> Result<(), Answer> {
    let asked = words(query.text("scope"));
    let asked: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
    let declared = BTreeSet::from(REQUIRED);
    let optional = words(query.text("optional_scope"));
    let odd: Vec<&str> = asked
        .symmetric_difference(&declared)
        .copied()
        .chain(
            optional.iter().map(String::as_str).filter(|scope| !OPTIONAL.contains(scope) && !REQUIRED.contains(scope)),
        )
        .collect();
    if odd.is_empty() {
        return Ok(());
    }
    Err(page(&format!(
        "Authorization failed because there is a scope mismatch between the install URL and the app's configuration: {}",
        odd.join(" ")
    )))
}

fn hub_id(grant: &Grant<()>) -> u64 {
    number(&["hubspot hub", &grant.account.company], 8)
}

fn user_id(grant: &Grant<()>) -> u64 {
    number(&["hubspot user", &grant.account.email], 7)
}

fn facts(grant: &Grant<()>) -> Value {
    let email = grant.account.email.as_str();
    let domain = email.rsplit_once('@').map_or(email, |(_, domain)| domain);
    json!({
        "active": true,
        "user": email,
        "user_id": user_id(grant),
        "hub_domain": domain,
        "hub_id": hub_id(grant),
        "app_id": APP_ID,
        "client_id": grant.client_id,
        "scopes": grant.scopes,
        "is_private_distribution": false,
    })
}

fn refused(refusal: Refusal) -> Answer {
    let (status, message) = match refusal {
        Refusal::OtherRedirect => {
            ("MISMATCH_REDIRECT_URI_AUTH_CODE", "redirect uri does not match the one that the auth code was issued for")
        }
        Refusal::VerifierMissing | Refusal::VerifierUnexpected | Refusal::VerifierWrong => {
            ("BAD_AUTH_CODE", "code verifier does not match the code challenge")
        }
        Refusal::Unknown | Refusal::OtherClient | Refusal::Used | Refusal::Expired => {
            ("BAD_AUTH_CODE", "missing, used, expired or unknown auth code")
        }
    };
    oauth_error("invalid_grant", status, message)
}

fn oauth_error(error: &str, status: &str, message: &str) -> Answer {
    Answer::json(
        StatusCode::BAD_REQUEST,
        &json!({
            "error": error,
            "error_description": message,
            "status": status,
            "message": message,
        }),
    )
}

fn api_error(status: StatusCode, category: &str, message: &str) -> Answer {
    Answer::json(
        status,
        &json!({
            "status": "error",
            "message": message,
            "correlationId": guid(&[category, message]),
            "category": category,
        }),
    )
}

fn page(detail: &str) -> Answer {
    Answer::page(StatusCode::BAD_REQUEST, "Authorization failed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::{
        OauthOrder,
        testing::{BACK, Reply, Scene, VERIFIER, s256, with},
    };

    const AUTH: &str = "/app.hubspot.com/oauth/authorize";
    const TOKEN: &str = "/api.hubapi.com/oauth/2026-03/token";
    const INTROSPECT: &str = "/api.hubapi.com/oauth/2026-03/token/introspect";
    const DETAILS: &str = "/api.hubapi.com/account-info/2026-03/details";
    const CLIENT: [(&str, &str); 2] = [("client_id", "crossdock-hubspot"), ("client_secret", "standin-secret-hubspot")];

    async fn consent(scene: &Scene, changes: &[(&str, &str)]) -> Reply {
        let (challenge, scope) = (s256(), REQUIRED.join(" "));
        let ask = [
            ("client_id", "crossdock-hubspot"),
            ("redirect_uri", BACK),
            ("scope", scope.as_str()),
            ("state", "st"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        scene.visit(AUTH, &with(&ask, changes)).await
    }

    async fn code(scene: &Scene, changes: &[(&str, &str)]) -> String {
        consent(scene, changes).await.callback()["code"].clone()
    }

    fn exchange(code: &str) -> Vec<(&str, &str)> {
        let form =
            [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK), ("code_verifier", VERIFIER)];
        with(&CLIENT, &form)
    }

    fn renewal(token: &str) -> Vec<(&str, &str)> {
        with(&CLIENT, &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    async fn connected(scene: &Scene) -> Value {
        let code = code(scene, &[]).await;
        scene.form(TOKEN, &exchange(&code)).await.json()
    }

    #[tokio::test]
    async fn a_hub_is_connected_and_tells_who_it_is() {
        let scene = Scene::open().await;

        let tokens = connected(&scene).await;

        assert_eq!(tokens["token_type"], "bearer");
        assert_eq!(tokens["expires_in"], 1800);
        let token = tokens["access_token"].as_str().unwrap();
        assert!(token.len() >= 300);
        let asked = with(&CLIENT, &[("token", token), ("token_type_hint", "access_token")]);
        let facts = scene.form(INTROSPECT, &asked).await.json();
        assert_eq!(facts["active"], true);
        assert_eq!(facts["user"], "ada@brightline.example");
        assert_eq!(facts["hub_domain"], "brightline.example");
        assert_eq!(facts["hub_id"], tokens["hub_id"]);
        let details = scene.get(DETAILS, &format!("Bearer {token}")).await.json();
        assert_eq!(details["portalId"], tokens["hub_id"]);
    }

    #[tokio::test]
    async fn a_refresh_brings_the_same_refresh_token() {
        let scene = Scene::open().await;
        let tokens = connected(&scene).await;

        let renewed = scene.form(TOKEN, &renewal(tokens["refresh_token"].as_str().unwrap())).await.json();

        assert_eq!(renewed["refresh_token"], tokens["refresh_token"]);
        assert_eq!(renewed["hub_id"], tokens["hub_id"]);
        assert_ne!(renewed["access_token"], tokens["access_token"]);
    }

    #[tokio::test]
    async fn the_scopes_must_be_those_that_the_app_declares() {
        let scene = Scene::open().await;
        let more = format!("{} tickets", REQUIRED.join(" "));
        let leads = OPTIONAL.join(" ");

        for changes in [vec![("scope", "oauth")], vec![("scope", more.as_str())], vec![("optional_scope", "content")]] {
            let reply = consent(&scene, &changes).await;
            assert_eq!(reply.status, 400);
            assert!(reply.text.contains("scope mismatch"), "{}", reply.text);
        }
        let granted = code(&scene, &[("optional_scope", &leads)]).await;
        let tokens = scene.form(TOKEN, &exchange(&granted)).await.json();
        assert!(tokens["scopes"].as_array().unwrap().contains(&OPTIONAL[0].into()));
    }

    #[tokio::test]
    async fn errors_carry_the_fields_of_both_generations() {
        let scene = Scene::open().await;
        let good = code(&scene, &[]).await;
        let expired = code(&scene, &[("standin_expired_code", "true")]).await;
        let other = "x".repeat(43);
        let cases = [
            (good.as_str(), ("client_id", "other"), "invalid_client", "BAD_CLIENT_ID"),
            (good.as_str(), ("client_secret", "no"), "invalid_client", "BAD_CLIENT_SECRET"),
            (
                good.as_str(),
                ("redirect_uri", "https://app.example/else"),
                "invalid_grant",
                "MISMATCH_REDIRECT_URI_AUTH_CODE",
            ),
            (good.as_str(), ("code_verifier", other.as_str()), "invalid_grant", "BAD_AUTH_CODE"),
            (good.as_str(), ("code_verifier", ""), "invalid_grant", "BAD_AUTH_CODE"),
            (expired.as_str(), ("state", ""), "invalid_grant", "BAD_AUTH_CODE"),
        ];

        for (code, change, error, status) in cases {
            let reply = scene.form(TOKEN, &with(&exchange(code), &[change])).await;
            let body = reply.json();
            assert_eq!(reply.status, 400);
            assert_eq!((body["error"].as_str(), body["status"].as_str()), (Some(error), Some(status)));
            assert_eq!(body["message"], body["error_description"]);
        }
        assert_eq!(scene.form(TOKEN, &exchange(&good)).await.status, 200);
        let again = scene.form(TOKEN, &exchange(&good)).await.json();
        assert_eq!(again["status"], "BAD_AUTH_CODE");
        let refresh = scene.form(TOKEN, &renewal("na1-unknown")).await.json();
        assert_eq!(refresh["status"], "BAD_REFRESH_TOKEN");
    }

    #[tokio::test]
    async fn secrets_belong_into_the_body() {
        let scene = Scene::open().await;
        let code = code(&scene, &[]).await;

        let path = format!("{TOKEN}?client_secret=standin-secret-hubspot");
        let reply = scene.form(&path, &exchange(&code)).await;

        assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some("invalid_request")));
    }

    #[tokio::test]
    async fn the_endpoints_of_the_first_generation_are_gone() {
        let scene = Scene::open().await;

        assert_eq!(scene.form("/api.hubapi.com/oauth/v1/token", &[]).await.status, 404);
    }

    #[tokio::test]
    async fn revoking_ends_the_refresh_token_and_leaves_the_access_token() {
        let scene = Scene::open().await;
        let tokens = connected(&scene).await;
        let refresh = tokens["refresh_token"].as_str().unwrap();
        let shown = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        let form = with(&CLIENT, &[("token", refresh), ("token_type_hint", "refresh_token")]);

        assert_eq!(scene.form(&format!("{TOKEN}/revoke"), &form).await.status, 200);

        assert_eq!(scene.form(TOKEN, &renewal(refresh)).await.status, 400);
        assert_eq!(scene.form(INTROSPECT, &form).await.json(), json!({ "active": false }));
        assert_eq!(scene.get(DETAILS, &shown).await.status, 200);
    }

    #[tokio::test]
    async fn an_expired_token_is_told_from_one_that_never_was() {
        let scene = Scene::open().await;
        let tokens = connected(&scene).await;
        let shown = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        let order = OauthOrder { expire_access_tokens: true, ..OauthOrder::default() };
        scene.control.oauth("hubspot", &order).await.unwrap();

        let expired = scene.get(DETAILS, &shown).await;
        let unknown = scene.get(DETAILS, "Bearer nobody").await;

        assert_eq!((expired.status, unknown.status), (401, 401));
        assert_eq!(expired.json()["category"], "EXPIRED_AUTHENTICATION");
        assert_eq!(unknown.json()["category"], "INVALID_AUTHENTICATION");
    }

    #[tokio::test]
    async fn a_consent_can_be_denied() {
        let scene = Scene::open().await;

        let back = consent(&scene, &[("standin_deny", "true")]).await.callback();

        assert_eq!((back["error"].as_str(), back["state"].as_str()), ("access_denied", "st"));
    }
}
