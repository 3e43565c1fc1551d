//! What the four authorization servers share: registered apps, consents, codes that work once, tokens and PKCE.
//! What they do not share (words, scopes, regions, rotation) is in each vendor's own file.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

use super::call::{Answer, Call, Fields};

/// How long a dead code or token is told apart from one that never was.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// What the person does on the vendor's consent page, which is never shown here.
/// Ordered by `standin_…` fields in the authorize URL, or for the next consent by the control interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consent {
    /// Refuse.
    #[serde(skip_serializing_if = "is_default")]
    pub deny: bool,
    /// Come back with this error, for example `server_error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Sign in as this e-mail address. An account that is named so has the vendor's quotas;
    /// the one that everybody shares has none, so that tests do not disturb each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The person's full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The company (organisation, hub domain) that the account belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Hand out a code that has expired.
    #[serde(skip_serializing_if = "is_default")]
    pub expired_code: bool,
    /// Refuse these scopes and grant the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// How many seconds access tokens live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// Zoho: where the account lives: `us`, `eu` (unless said), `in`, `au`, `jp`, `ca`, `sa`, `cn`, `uk`, `ae`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Zoho: what the callback claims to be the accounts server, true or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts_server: Option<String>,
    /// Zoho: the old form of the reply, with `expires_in_sec`, and `expires_in` in milliseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub expires_in_sec: bool,
    /// Salesforce: refresh tokens rotate.
    #[serde(skip_serializing_if = "is_default")]
    pub rotate: bool,
}

impl Consent {
    /// Reads `standin_…` fields of an authorize URL; nothing if there is none.
    fn find(query: &Fields) -> Result<Option<Consent>, Answer> {
        let fields: Map<String, Value> = query
            .iter()
            .filter_map(|(name, value)| {
                let name = name.strip_prefix("standin_")?;
                let value = match (name, value) {
                    ("without", list) => list.split([',', ' ']).collect(),
                    (_, "true") => Value::Bool(true),
                    (_, "false") => Value::Bool(false),
                    ("expires_in", number) => number.parse::<u64>().map_or(number.into(), Into::into),
                    (_, text) => text.into(),
                };
                Some((name.to_owned(), value))
            })
            .collect();
        if fields.is_empty() {
            return Ok(None);
        }
        serde_json::from_value(Value::Object(fields))
            .map(Some)
            .map_err(|error| Answer::page(StatusCode::BAD_REQUEST, "standin_…", &error.to_string()))
    }
}

/// What `POST /_control/oauth/{vendor}` takes. Only what is given is done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OauthOrder {
    /// How the next authorize request ends that says nothing itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_consent: Option<Consent>,
    /// All access tokens are over.
    #[serde(skip_serializing_if = "is_default")]
    pub expire_access_tokens: bool,
    /// All refresh tokens are gone, as when the user or an admin took the consent back.
    #[serde(skip_serializing_if = "is_default")]
    pub revoke_refresh_tokens: bool,
    /// Limits the two above to the tokens of this account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The only redirect addresses from now on; an empty list lets every sensible one pass again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_uris: Option<Vec<String>>,
    /// More registered apps: client id to client secret.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<String, String>,
}

/// Who signed in.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) email: String,
    pub(super) name: String,
    pub(super) company: String,
    pub(super) has_quotas: bool,
}

impl Account {
    fn of(consent: &Consent) -> Self {
        let or = |given: &Option<String>, usual: &str| given.as_deref().unwrap_or(usual).to_owned();
        Self {
            email: or(&consent.user, "ada@brightline.example"),
            name: or(&consent.name, "Ada Brightline"),
            company: or(&consent.company, "Brightline GmbH"),
            has_quotas: consent.user.is_some(),
        }
    }

    /// First and last name.
    pub(super) fn names(&self) -> (&str, &str) {
        self.name.rsplit_once(' ').unwrap_or(("", &self.name))
    }
}

/// What a person has allowed an app, with what the vendor needs to know besides.
pub(super) struct Grant<S> {
    pub(super) client_id: String,
    pub(super) account: Account,
    pub(super) scopes: Vec<String>,
    pub(super) consent: Consent,
    pub(super) site: S,
}

impl<S> Grant<S> {
    pub(super) fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }

    /// How long an access token lives, unless the consent says otherwise.
    pub(super) fn life(&self, usual_seconds: u64) -> u64 {
        self.consent.expires_in.unwrap_or(usual_seconds)
    }
}

struct Code<S> {
    grant: Arc<Grant<S>>,
    redirect_uri: String,
    challenge: Option<String>,
    expires: Instant,
    used: bool,
}

/// An access token.
pub(super) struct Access<S> {
    pub(super) grant: Arc<Grant<S>>,
    /// What it is good for, which can be less than the grant.
    pub(super) scopes: Vec<String>,
    pub(super) expires: Instant,
    refresh: Option<String>,
    born: u64,
}

/// A refresh token.
pub(super) struct Refresh<S> {
    pub(super) grant: Arc<Grant<S>>,
    pub(super) kept: Instant,
    /// When access tokens were made with it.
    pub(super) uses: VecDeque<Instant>,
    born: u64,
}

/// What a token request shows in exchange for tokens.
pub(super) struct Exchange<'a> {
    pub(super) client_id: &'a str,
    pub(super) code: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) verifier: Option<&'a str>,
}

/// Why a code is not exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unknown,
    OtherClient,
    Used,
    Expired,
    OtherRedirect,
    VerifierMissing,
    /// A verifier, although there was no challenge.
    VerifierUnexpected,
    VerifierWrong,
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    Unknown,
    WrongSecret,
}

/// Why an access token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAccess {
    Unknown,
    Expired,
}

/// All that one vendor has registered, granted and handed out.
pub(super) struct Ledger<S> {
    apps: BTreeMap<String, String>,
    redirect_uris: Vec<String>,
    consents: VecDeque<Consent>,
    codes: HashMap<String, Code<S>>,
    access: HashMap<String, Access<S>>,
    refresh: HashMap<String, Refresh<S>>,
    born: u64,
}

impl<S> Ledger<S> {
    /// With the one app that the local stack is configured for.
    pub(super) fn of(vendor: &str) -> Self {
        Self {
            apps: [(format!("crossdock-{vendor}"), format!("standin-secret-{vendor}"))].into(),
            redirect_uris: vec![],
            consents: VecDeque::new(),
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            born: 0,
        }
    }

    // ── at the authorize endpoint ────────────────────────────────────────────

    pub(super) fn knows(&self, client_id: &str) -> bool {
        self.apps.contains_key(client_id)
    }

    /// The address to send the browser back to, if the app may be reached there.
    pub(super) fn redirect(&self, uri: &str) -> Option<Url> {
        let parsed = Url::parse(uri).ok()?;
        let registered = if self.redirect_uris.is_empty() {
            let here = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            parsed.scheme() == "https" || (parsed.scheme() == "http" && here)
        } else {
            self.redirect_uris.iter().any(|known| known == uri)
        };
        (registered && parsed.fragment().is_none()).then_some(parsed)
    }

    /// How this consent ends, and who gives it.
    pub(super) fn consent(&mut self, query: &Fields) -> Result<(Consent, Account), Answer> {
        let consent = match Consent::find(query)? {
            Some(consent) => consent,
            None => self.consents.pop_front().unwrap_or_default(),
        };
        let account = Account::of(&consent);
        Ok((consent, account))
    }

    /// Remembers a code that was just sent to the browser.
    pub(super) fn allow(
        &mut self,
        code: &str,
        grant: Grant<S>,
        redirect_uri: &str,
        challenge: Option<&str>,
        expires: Instant,
    ) {
        self.codes.insert(
            code.into(),
            Code {
                expires,
                used: false,
                redirect_uri: redirect_uri.into(),
                challenge: challenge.map(Into::into),
                grant: Arc::new(grant),
            },
        );
    }

    // ── at the token endpoint ────────────────────────────────────────────────

    pub(super) fn client<'a>(&self, form: &'a Fields) -> Result<&'a str, Stranger> {
        let client_id = form.find("client_id").ok_or(Stranger::Unknown)?;
        let secret = self.apps.get(client_id).ok_or(Stranger::Unknown)?;
        if form.find("client_secret") == Some(secret) { Ok(client_id) } else { Err(Stranger::WrongSecret) }
    }

    /// The grant behind a code, without spending it.
    pub(super) fn grant_of_code(&self, code: &str) -> Option<&Grant<S>> {
        Some(&*self.codes.get(code)?.grant)
    }

    /// The grant behind an access or refresh token, live or not.
    pub(super) fn grant_of_token(&self, token: &str) -> Option<&Grant<S>> {
        let refresh = self.refresh.get(token).map(|refresh| &refresh.grant);
        let grant = refresh.or_else(|| Some(&self.access.get(token)?.grant))?;
        Some(&**grant)
    }

    /// Spends a code, if everything that it is bound to is shown.
    pub(super) fn redeem(&mut self, shown: &Exchange<'_>, now: Instant) -> Result<Arc<Grant<S>>, Refusal> {
        let code = self.codes.get_mut(shown.code).ok_or(Refusal::Unknown)?;
        if code.grant.client_id != shown.client_id {
            return Err(Refusal::OtherClient);
        }
        if code.used {
            return Err(Refusal::Used);
        }
        if now >= code.expires {
            return Err(Refusal::Expired);
        }
        if code.redirect_uri != shown.redirect_uri {
            return Err(Refusal::OtherRedirect);
        }
        match (&code.challenge, shown.verifier) {
            (None, None) => {}
            (None, Some(_)) => return Err(Refusal::VerifierUnexpected),
            (Some(_), None) => return Err(Refusal::VerifierMissing),
            (Some(challenge), Some(verifier)) => {
                if !is_verifier(verifier) || challenge_of(verifier) != *challenge {
                    return Err(Refusal::VerifierWrong);
                }
            }
        }
        code.used = true;
        Ok(code.grant.clone())
    }

    /// Puts a refresh token into force.
    pub(super) fn keep(&mut self, token: &str, grant: &Arc<Grant<S>>, now: Instant) {
        self.born += 1;
        self.refresh
            .insert(token.into(), Refresh { grant: grant.clone(), kept: now, uses: VecDeque::new(), born: self.born });
    }

    /// Puts an access token into force.
    pub(super) fn mint(
        &mut self,
        token: &str,
        grant: &Arc<Grant<S>>,
        scopes: &[String],
        refresh: Option<&str>,
        expires: Instant,
        now: Instant,
    ) {
        self.codes.retain(|_, code| now < code.expires + REMEMBERED);
        self.access.retain(|_, access| now < access.expires + REMEMBERED);
        self.born += 1;
        self.access.insert(
            token.into(),
            Access {
                grant: grant.clone(),
                scopes: scopes.to_vec(),
                expires,
                refresh: refresh.map(Into::into),
                born: self.born,
            },
        );
    }

    pub(super) fn find_refresh(&mut self, token: &str, client_id: &str) -> Option<&mut Refresh<S>> {
        self.refresh.get_mut(token).filter(|refresh| refresh.grant.client_id == client_id)
    }

    /// The refresh tokens that one account has given one app, oldest first.
    pub(super) fn refresh_tokens_of(&self, grant: &Grant<S>) -> Vec<(&str, &Refresh<S>)> {
        let mut tokens: Vec<_> = self
            .refresh
            .iter()
            .filter(|(_, refresh)| {
                refresh.grant.client_id == grant.client_id && refresh.grant.account.email == grant.account.email
            })
            .map(|(token, refresh)| (token.as_str(), refresh))
            .collect();
        tokens.sort_by_key(|(_, refresh)| refresh.born);
        tokens
    }

    /// Of one account's grants to one app only the newest `most` refresh tokens stay.
    pub(super) fn drop_oldest_refresh(&mut self, grant: &Grant<S>, most: usize) {
        let tokens = self.refresh_tokens_of(grant);
        let oldest: Vec<String> =
            tokens[..tokens.len().saturating_sub(most)].iter().map(|(token, _)| (*token).to_owned()).collect();
        for token in oldest {
            self.revoke(&token);
        }
    }

    /// Of the live access tokens of one refresh token only the newest `most` stay.
    pub(super) fn drop_oldest_access(&mut self, refresh: &str, most: usize, now: Instant) {
        let mut live: Vec<(u64, String)> = self
            .access
            .iter()
            .filter(|(_, access)| access.refresh.as_deref() == Some(refresh) && now < access.expires)
            .map(|(token, access)| (access.born, token.clone()))
            .collect();
        live.sort_unstable();
        for (_, token) in &live[..live.len().saturating_sub(most)] {
            self.access.remove(token);
        }
    }

    /// Ends a token; a refresh token takes the access tokens with it that came from it.
    pub(super) fn revoke(&mut self, token: &str) -> bool {
        if self.refresh.remove(token).is_some() {
            self.access.retain(|_, access| access.refresh.as_deref() != Some(token));
            return true;
        }
        self.access.remove(token).is_some()
    }

    /// Ends a refresh token and nothing else.
    pub(super) fn forget_refresh(&mut self, token: &str) -> bool {
        self.refresh.remove(token).is_some()
    }

    // ── at the API ───────────────────────────────────────────────────────────

    pub(super) fn access(&self, token: &str, now: Instant) -> Result<&Access<S>, NoAccess> {
        let access = self.access.get(token).ok_or(NoAccess::Unknown)?;
        if now >= access.expires {
            return Err(NoAccess::Expired);
        }
        Ok(access)
    }

    // ── at the control interface ─────────────────────────────────────────────

    pub(super) fn order(&mut self, order: OauthOrder, now: Instant) {
        self.consents.extend(order.next_consent);
        self.apps.extend(order.apps);
        if let Some(uris) = order.redirect_uris {
            self.redirect_uris = uris;
        }
        let meant = |grant: &Grant<S>| order.user.as_ref().is_none_or(|user| grant.account.email == *user);
        if order.expire_access_tokens {
            for access in self.access.values_mut().filter(|a| meant(&a.grant)) {
                access.expires = access.expires.min(now);
            }
        }
        if order.revoke_refresh_tokens {
            self.refresh.retain(|_, refresh| !meant(&refresh.grant));
        }
    }

    /// Forgets what was ordered; what was handed out stays in force.
    pub(super) fn reset(&mut self) {
        self.consents.clear();
        self.redirect_uris.clear();
    }

    pub(super) fn summary(&self, now: Instant) -> Value {
        json!({
            "apps": self.apps.keys().collect::<Vec<_>>(),
            "redirect_uris": self.redirect_uris,
            "next_consents": self.consents,
            "open_codes": self.codes.values().filter(|code| !code.used && now < code.expires).count(),
            "live_access_tokens": self.access.values().filter(|access| now < access.expires).count(),
            "refresh_tokens": self.refresh.len(),
        })
    }
}

// ── PKCE ─────────────────────────────────────────────────────────────────────

/// The challenge of an authorize request. Nothing was asked of it if it is absent; other methods than S256 are refused.
pub(super) fn challenge(call: &Call) -> Result<Option<&str>, &'static str> {
    let method = call.query.find("code_challenge_method");
    match call.query.find("code_challenge") {
        None if method.is_some() => Err("code_challenge_method without a code_challenge"),
        None => Ok(None),
        Some(_) if method != Some("S256") => Err("code_challenge_method must be S256"),
        Some(challenge) if challenge.len() != 43 => Err("code_challenge is no SHA-256"),
        Some(challenge) => Ok(Some(challenge)),
    }
}

/// S256 of RFC 7636.
pub(super) fn challenge_of(verifier: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(verifier))
}

fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

// ── strings that nobody guesses, and ids that are always the same ────────────

/// So many random bytes, as letters, digits, `-` and `_`.
pub(super) fn unguessable(bytes: usize) -> String {
    BASE64URL_NOPAD.encode(&random(bytes))
}

/// So many random bytes in hexadecimal.
pub(super) fn unguessable_hex(bytes: usize) -> String {
    HEXLOWER.encode(&random(bytes))
}

fn random(bytes: usize) -> Vec<u8> {
    let mut random = vec![0; bytes];
    rand::fill(&mut random[..]);
    random
}

/// An id of this many digits that follows from what it is the id of.
pub(super) fn number(of: &[&str], digits: u32) -> u64 {
    let smallest = 10_u64.pow(digits - 1);
    let [a, b, c, d, e, f, g, h, ..] = digest(of);
    smallest + u64::from_be_bytes([a, b, c, d, e, f, g, h]) % (9 * smallest)
}

/// A GUID that follows from what it is the id of.
pub(super) fn guid(of: &[&str]) -> String {
    let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest(of);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// A GUID that nobody has seen before.
pub(super) fn new_guid() -> String {
    Uuid::new_v4().to_string()
}

/// So many letters and digits that follow from what they are the id of.
pub(super) fn letters(of: &[&str], count: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    digest(of).iter().take(count).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

fn digest(of: &[&str]) -> [u8; 32] {
    Sha256::digest(of.join("\n")).into()
}

/// A JWT in form. Its signature is random: no keys are published here to check it with.
pub(super) fn id_token(claims: &Value) -> String {
    let header = json!({ "typ": "JWT", "alg": "RS256", "kid": "standin" });
    let [header, claims] = [&header, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
    format!("{header}.{claims}.{}", unguessable(256))
}

/// Seconds since the epoch, as JWTs count.
pub(super) fn epoch_seconds() -> i64 {
    Timestamp::now().as_second()
}

/// Words that are set apart by blanks.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(Into::into).collect()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn ledger_with(code: &str, challenge: Option<&str>, expires: Instant) -> Ledger<()> {
        let mut ledger = Ledger::of("test");
        let consent = Consent::default();
        let grant = Grant {
            client_id: "crossdock-test".into(),
            account: Account::of(&consent),
            scopes: vec![],
            consent,
            site: (),
        };
        ledger.allow(code, grant, "https://app.example/back", challenge, expires);
        ledger
    }

    fn shown<'a>(code: &'a str, verifier: Option<&'a str>) -> Exchange<'a> {
        Exchange { client_id: "crossdock-test", code, redirect_uri: "https://app.example/back", verifier }
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        let challenge = challenge_of(VERIFIER);

        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_code_works_once() {
        let now = Instant::now();
        let mut ledger = ledger_with("c", None, now + REMEMBERED);

        assert!(ledger.redeem(&shown("c", None), now).is_ok());
        assert_eq!(ledger.redeem(&shown("c", None), now).err(), Some(Refusal::Used));
    }

    #[test]
    fn a_code_is_bound_to_client_address_time_and_challenge() {
        let now = Instant::now();
        let mut ledger = ledger_with("c", Some(&challenge_of(VERIFIER)), now + REMEMBERED);
        let right = || shown("c", Some(VERIFIER));
        let other_verifier = "x".repeat(43);
        let cases = [
            (shown("d", Some(VERIFIER)), now, Refusal::Unknown),
            (Exchange { client_id: "other", ..right() }, now, Refusal::OtherClient),
            (Exchange { redirect_uri: "https://app.example/back/", ..right() }, now, Refusal::OtherRedirect),
            (right(), now + REMEMBERED, Refusal::Expired),
            (shown("c", None), now, Refusal::VerifierMissing),
            (shown("c", Some(&other_verifier)), now, Refusal::VerifierWrong),
            (shown("c", Some("short")), now, Refusal::VerifierWrong),
        ];

        for (shown, at, refusal) in cases {
            assert_eq!(ledger.redeem(&shown, at).err(), Some(refusal));
        }
        assert!(ledger.redeem(&right(), now).is_ok());
    }

    #[test]
    fn a_verifier_without_a_challenge_is_a_downgrade() {
        let now = Instant::now();
        let mut ledger = ledger_with("c", None, now + REMEMBERED);

        let refusal = ledger.redeem(&shown("c", Some(VERIFIER)), now).err();

        assert_eq!(refusal, Some(Refusal::VerifierUnexpected));
    }

    #[test]
    fn only_sensible_addresses_are_redirected_to() {
        let mut ledger = Ledger::<()>::of("test");

        for good in ["https://app.example/back", "http://127.0.0.1:3000/back", "http://localhost/b?x=1"] {
            assert!(ledger.redirect(good).is_some(), "{good}");
        }
        for bad in ["", "/back", "http://app.example/back", "https://app.example/#x", "javascript:alert(1)"] {
            assert!(ledger.redirect(bad).is_none(), "{bad}");
        }
        let order =
            OauthOrder { redirect_uris: Some(vec!["https://app.example/back".into()]), ..OauthOrder::default() };
        ledger.order(order, Instant::now());
        assert!(ledger.redirect("https://app.example/back").is_some());
        assert!(ledger.redirect("https://app.example/back2").is_none());
    }

    #[test]
    fn ids_follow_from_what_they_are_the_id_of() {
        assert_eq!(number(&["a", "b"], 8), number(&["a", "b"], 8));
        assert_ne!(guid(&["a"]), guid(&["b"]));
        assert_eq!(number(&["a"], 8).to_string().len(), 8);
        assert_ne!(unguessable(32), unguessable(32));
    }
}
