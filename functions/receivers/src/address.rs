//! Which webhook an endpoint's address leads to.

use secrecy::{ExposeSecret, SecretString};
use shared::{
    egress::Egress,
    endpoint::Endpoint,
    make::{Account, is_hook_host},
    secrets::{Keyring, fingerprint},
};
use url::Url;

/// The address of a Make webhook, in the one form in which two are compared. It is a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(String);

impl Address {
    /// Reads an address; none that leads to a webhook of Make.com.
    ///
    /// Letters of the host, a port that is the usual one, a query and a slash at the end make no difference.
    pub fn read(egress: &Egress, text: &str) -> Option<Self> {
        let url = egress.vendors_own(&Url::parse(text.trim()).ok()?)?;
        let host = url.host_str()?.trim_end_matches('.');
        let path = url.path().trim_end_matches('/');
        (is_hook_host(host) && url.port().is_none() && !path.is_empty()).then(|| Self(format!("https://{host}{path}")))
    }

    /// That of an endpoint, opened.
    pub fn of(egress: &Egress, keyring: &Keyring, endpoint: &Endpoint) -> Option<Self> {
        let (tenant, id) = (endpoint.tenant.to_string(), endpoint.id.to_string());
        let url = keyring
            .open(Endpoint::place(&tenant, &id, "url"), &endpoint.url)
            .inspect_err(|error| tracing::warn!(endpoint.id = id, error = ?error, "its address does not open"));
        Self::read(egress, url.ok()?.expose_secret())
    }

    /// Tells it, looked for in that account, from every other: what was seen of it elsewhere says nothing of it.
    pub fn looked_for_in(&self, account: &Account) -> String {
        let (zone, place, token) = (account.zone.host(), account.place, &account.fingerprint);
        fingerprint(&SecretString::from(format!("{zone} {place:?} {token} {}", self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_to_write_an_address_are_one_address() {
        let egress = Egress::new("http://127.0.0.1:3002", "http://127.0.0.1:3002");
        let read = |text| Address::read(&egress, text);
        let plain = read("https://hook.eu1.make.com/Abc").unwrap();

        for same in [
            "https://HOOK.eu1.make.com/Abc",
            "https://hook.eu1.make.com:443/Abc/",
            "https://hook.eu1.make.com/Abc?source=crossdock#top",
            " https://hook.eu1.make.com./Abc ",
            "http://127.0.0.1:3002/hook.eu1.make.com/Abc",
        ] {
            assert!(read(same) == Some(plain.clone()), "{same}");
        }
        for other in ["https://hook.eu1.make.com/abc", "https://hook.eu2.make.com/Abc"] {
            assert!(read(other) != Some(plain.clone()), "{other}");
        }
        for none in ["https://hook.eu1.make.com/", "https://example.com/Abc", "https://eu1.make.com/Abc", "Abc"] {
            assert!(read(none).is_none(), "{none}");
        }
    }
}
