//! Which browser began a sign-in: a nonce in a cookie, whose hash stands with the sign-in.
//!
//! Without it, somebody could begin a sign-in for a tenant of its own and send the consent page's address to a person
//! elsewhere, whose CRM would then belong to the wrong company. A browser keeps the cookie if the frontend is of the
//! same site as the API (`app.example.com` and `api.example.com`) and calls with credentials. A frontend of another
//! site cannot carry one: its browser comes back without, and the person is asked first, by the company's name.

use shared::http::Call;
use subtle::ConstantTimeEq;

use crate::state::{digest, is_unguessable, unguessable};

/// As long as a sign-in.
const SECONDS: i64 = super::begin::GOOD.as_secs();

/// The nonce of a browser.
pub struct Browser(String);

/// Whether the browser that returns is the one that began.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is.
    Same,
    /// It is not: it began another sign-in.
    Other,
    /// It brings no cookie.
    Unknown,
}

/// What becomes of a browser that brings no cookie: a setting of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The person is asked first, by the company's name.
    Ask,
    /// It is believed: for stacks that only scripts and one's own browser reach.
    Admit,
}

impl Unknown {
    /// Reads `OAUTH_UNKNOWN_BROWSER`.
    pub fn read(setting: &str) -> Self {
        if setting == "admit" { Self::Admit } else { Self::Ask }
    }
}

impl Browser {
    /// The browser that calls: known from an earlier sign-in, or new. One browser may have several under way.
    pub fn of(call: &Call, public_url: &str) -> Self {
        Self(cookie(call, name(public_url)).filter(|nonce| is_unguessable(nonce)).map_or_else(unguessable, Into::into))
    }

    /// What is stored of it.
    pub fn hash(&self) -> String {
        digest(&self.0)
    }

    /// The `Set-Cookie` that lets it be known again. It comes back with the vendor's redirect, which is a navigation.
    pub fn set_cookie(&self, public_url: &str) -> String {
        let secure = if is_https(public_url) { " Secure;" } else { "" };
        format!("{}={}; Path=/; Max-Age={SECONDS}; HttpOnly;{secure} SameSite=Lax", name(public_url), self.0)
    }
}

/// Whether the browser that calls is the one with this hash.
pub fn seen(call: &Call, public_url: &str, hash: &str) -> Seen {
    match cookie(call, name(public_url)) {
        None => Seen::Unknown,
        Some(nonce) if bool::from(digest(nonce).as_bytes().ct_eq(hash.as_bytes())) => Seen::Same,
        Some(_) => Seen::Other,
    }
}

/// A `__Host-` cookie cannot be planted by a neighbouring host. Browsers take one over HTTPS only.
fn name(public_url: &str) -> &'static str {
    if is_https(public_url) { "__Host-crossdock-oauth" } else { "crossdock-oauth" }
}

fn is_https(public_url: &str) -> bool {
    public_url.starts_with("https://")
}

fn cookie<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.headers()
        .get_all(http::header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::nobody;

    const HTTPS: &str = "https://api.example.com";

    fn carrying(browser: &Browser, public_url: &str) -> Call {
        let set = browser.set_cookie(public_url);
        nobody().with_header("cookie", &format!("theme=dark; {}", set.split(';').next().unwrap()))
    }

    #[test]
    fn a_browser_is_known_again() {
        for url in [HTTPS, "http://127.0.0.1:3000"] {
            let browser = Browser::of(&nobody(), url);

            assert_eq!(seen(&carrying(&browser, url), url, &browser.hash()), Seen::Same);
            assert_eq!(seen(&nobody(), url, &browser.hash()), Seen::Unknown);
            assert_eq!(seen(&carrying(&Browser::of(&nobody(), url), url), url, &browser.hash()), Seen::Other);
            assert_eq!(Browser::of(&carrying(&browser, url), url).hash(), browser.hash());
        }
    }

    #[test]
    fn its_cookie_is_out_of_reach_of_scripts_and_neighbours() {
        let cookie = Browser("nonce".into()).set_cookie(HTTPS);

        assert_eq!(cookie, "__Host-crossdock-oauth=nonce; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax");
    }

    #[test]
    fn a_cookie_that_we_did_not_make_is_not_taken_over() {
        let planted = nobody().with_header("cookie", "__Host-crossdock-oauth=1");

        assert_ne!(Browser::of(&planted, HTTPS).0, "1");
    }
}
