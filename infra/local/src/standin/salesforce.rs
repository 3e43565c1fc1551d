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
        Access, Account, Exchange, Grant, Ledger, Refusal, Stranger, challenge, epoch_seconds,
        id_token, letters, unguessable, words,
    },
};

const CODE_LIFE: Duration = Duration::from_secs(900);
/// The session time-out of the org, which the token reply does not tell.
const SESSION_SECONDS: u64 = 7200;

const SCOPES: [&str; 17] = [
    "address", "api", "cdp_api", "chatter_api", "content", "custom_permissions", "email", "full", "id",
    "lightning", "offline_access", "openid", "phone", "profile", "refresh_token", "visualforce", "web",
];

/// An org, known by its My Domain.
pub(super) struct Org {
    instance: String,
    sandbox: bool,
}

impl Org {
    fn login_host(&self) -> &'static str {
        if self.sandbox {
            "test.salesforce.com"
        } else {
            "login.salesforce.com"
        }
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
        Self {
            ledger: Ledger::of("salesforce"),
        }
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
            .ok_or_else(|| {
                page(
                    "redirect_uri_mismatch",
                    "redirect_uri must match configuration",
                )
            })?;
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
                &[
                    ("error", Some(error)),
                    ("error_description", Some(description)),
                    ("state", state),
                ],
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
        let expires = if consent.expired_code {
            now
        } else {
            now + CODE_LIFE
        };
        self.ledger.allow(
            &code,
            Grant {
                client_id: query.text("client_id").into(),
                site: Org {
                    instance: instance(&call.host, &account),
                    sandbox: is_sandbox(&call.host),
                },
                account,
                scopes,
                consent,
            },
            query.text("redirect_uri"),
            Some(challenge),
            expires,
        );
        Ok(Answer::back_to(
            &back,
            &[("code", Some(&code)), ("state", state)],
        ))
    }

    fn token(&mut self, call: &Call, now: Instant) -> Result<Answer, Answer> {
        let form = call.form();
        let grant_type = form.find("grant_type");
        if !matches!(grant_type, Some("authorization_code" | "refresh_token")) {
            return Err(token_error("unsupported_grant_type", "grant type not supported"));
        }
        let client_id = self
            .ledger
            .client(&form)
            .map_err(|stranger| match stranger {
                Stranger::Unknown => token_error("invalid_client_id", "client identifier invalid"),
                Stranger::WrongSecret => token_error("invalid_client", "invalid client credentials"),
            })?;
        let secret = form.text("client_secret");

        if grant_type == Some("refresh_token") {
            return self.refresh(call, client_id, secret, form.text("refresh_token"), now);
        }
        let code = form.text("code");
        let lives_here = self
            .ledger
            .grant_of_code(code)
            .is_some_and(|grant| grant.site.is_behind(&call.host));
        if !lives_here {
            return Err(refused(Refusal::Unknown));
        }
        let shown = Exchange {
            client_id,
            code,
            redirect_uri: form.text("redirect_uri"),
            verifier: form.find("code_verifier"),
        };
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

    fn mint(
        &mut self,
        grant: &Arc<Grant<Org>>,
        secret: &str,
        refresh: Option<&str>,
        now: Instant,
    ) -> Value {
        let token = format!("{}!AQ8AQ{}", grant.site.id(), unguessable(69));
        let expires = now + Duration::from_secs(grant.life(SESSION_SECONDS));
        self.ledger
            .mint(&token, grant, &grant.scopes, refresh, expires, now);

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
            self.ledger
                .grant_of_token(token)
                .is_some_and(|grant| grant.site.is_behind(&call.host))
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
        let token = call
            .credential("Bearer")
            .ok_or_else(|| forbidden("Missing_OAuth_Token"))?;
        self.ledger
            .access(token, now)
            .ok()
            .filter(|access| {
                let about_the_user = ["id", "openid", "profile", "full"];
                about_the_user
                    .iter()
                    .any(|wanted| access.scopes.iter().any(|scope| scope == wanted))
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
            return Err(api_error(
                StatusCode::BAD_REQUEST,
                "INVALID_TYPE",
                "sObject type is not supported.",
            ));
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
    long_id(&format!(
        "005{}",
        letters(&["salesforce user", &account.email], 12)
    ))
}

fn identity_url(grant: &Grant<Org>) -> String {
    format!(
        "https://{}/id/{}/{}",
        grant.site.login_host(),
        long_id(&grant.site.id()),
        user_id(&grant.account),
    )
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

/// base64(HMAC-SHA256(client secret, id + issued_at))
fn signature(secret: &str, id: &str, issued_at: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .expect("HMAC takes a key of any length");
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
        Refusal::Unknown | Refusal::OtherClient | Refusal::Used => {
            ("invalid_grant", "invalid authorization code")
        }
        Refusal::Expired => ("invalid_grant", "expired authorization code"),
        Refusal::OtherRedirect => (
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
        ),
        Refusal::VerifierMissing => ("invalid_grant", "missing required code verifier"),
        Refusal::VerifierUnexpected => ("invalid_grant", "unexpected code verifier"),
        Refusal::VerifierWrong => ("invalid_code_verifier", "invalid code verifier"),
    };
    token_error(error, description)
}

fn token_error(error: &str, description: &str) -> Answer {
    Answer::json(
        StatusCode::BAD_REQUEST,
        &json!({ "error": error, "error_description": description }),
    )
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
