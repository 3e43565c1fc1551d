//! Zoho: an account lives in one data centre, which the callback names and a table confirms.

use shared::http::Fields;

use crate::failure::Failure;

/// A data centre.
#[derive(Debug)]
pub struct Region {
    /// How `location` and our own `region` name it.
    pub id: &'static str,
    /// Its accounts server.
    pub accounts: &'static str,
    /// What its API hosts end with.
    pub api: &'static str,
}

const fn region(id: &'static str, accounts: &'static str, api: &'static str) -> Region {
    Region { id, accounts, api }
}

/// All of them, the one where everybody may begin first.
pub static REGIONS: [Region; 10] = [
    region("us", "accounts.zoho.com", ".zohoapis.com"),
    region("eu", "accounts.zoho.eu", ".zohoapis.eu"),
    region("in", "accounts.zoho.in", ".zohoapis.in"),
    region("au", "accounts.zoho.com.au", ".zohoapis.com.au"),
    region("jp", "accounts.zoho.jp", ".zohoapis.jp"),
    region("ca", "accounts.zohocloud.ca", ".zohoapis.ca"),
    region("sa", "accounts.zoho.sa", ".zohoapis.sa"),
    region("cn", "accounts.zoho.com.cn", ".zohoapis.com.cn"),
    region("uk", "accounts.zoho.uk", ".zohoapis.uk"),
    region("ae", "accounts.zoho.ae", ".zohoapis.ae"),
];

/// What stands before the end of an API host: production, sandboxes, developer editions.
const EDITIONS: [&str; 3] = ["www", "sandbox", "developer"];

/// The accounts server to begin at.
pub fn read(body: &mut Fields) -> Option<String> {
    let wanted: String = body.or("region", REGIONS[0].id.to_owned())?;
    let found = REGIONS.iter().find(|region| region.id == wanted);
    if found.is_none() {
        let known: Vec<&str> = REGIONS.iter().map(|region| region.id).collect();
        body.fault("region", format!("must be one of {}", known.join(", ")));
    }
    found.map(|region| region.accounts.into())
}

/// The accounts server that the code belongs to. The callback's word for it comes through the browser, so it counts
/// only if it is one of Zoho's: our secret is sent there.
pub fn accounts(begun_at: &str, named: Option<&str>, location: Option<&str>) -> Result<String, Failure> {
    let found = match (named, location) {
        (Some(named), _) => {
            REGIONS.iter().find(|region| named.trim_end_matches('/').strip_prefix("https://") == Some(region.accounts))
        }
        (None, Some(location)) => REGIONS.iter().find(|region| region.id == location),
        (None, None) => return Ok(begun_at.into()),
    };
    found.map(|region| region.accounts.into()).ok_or(Failure::Untrusted("an accounts server that is not Zoho's"))
}

/// The API of an account, if it is where its accounts server is.
pub fn api_base(accounts: &str, api_domain: Option<&str>) -> Result<String, Failure> {
    let region = REGIONS.iter().find(|region| region.accounts == accounts);
    let host = api_domain.and_then(|domain| domain.strip_prefix("https://")).map(|host| host.trim_end_matches('/'));
    let (Some(region), Some(host)) = (region, host) else {
        return Err(Failure::Untrusted("a token without an API domain"));
    };
    match host.strip_suffix(region.api) {
        Some(edition) if EDITIONS.contains(&edition) => Ok(format!("https://{host}")),
        _ => Err(Failure::Untrusted("an API domain of another region or owner")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_data_centre_of_zoho_gets_our_secret() {
        let begun = "accounts.zoho.com";

        assert_eq!(accounts(begun, Some("https://accounts.zoho.eu"), Some("eu")).unwrap(), "accounts.zoho.eu");
        assert_eq!(accounts(begun, Some("https://accounts.zohocloud.ca/"), None).unwrap(), "accounts.zohocloud.ca");
        assert_eq!(accounts(begun, None, Some("in")).unwrap(), "accounts.zoho.in");
        assert_eq!(accounts(begun, None, None).unwrap(), begun);
        for evil in [
            "https://accounts.zoho.eu.evil.example",
            "https://evil.example/accounts.zoho.eu",
            "https://accounts.zoho.eu@evil.example",
            "http://accounts.zoho.eu",
            "accounts.zoho.eu",
            "",
        ] {
            assert!(accounts(begun, Some(evil), Some("eu")).is_err(), "{evil}");
        }
        assert!(accounts(begun, None, Some("mars")).is_err());
    }

    #[test]
    fn the_api_is_where_the_account_is() {
        assert_eq!(api_base("accounts.zoho.eu", Some("https://www.zohoapis.eu")).unwrap(), "https://www.zohoapis.eu");
        assert!(api_base("accounts.zoho.eu", Some("https://sandbox.zohoapis.eu")).is_ok());
        for (accounts, api) in [
            ("accounts.zoho.eu", Some("https://www.zohoapis.com")),
            ("accounts.zoho.com", Some("https://www.zohoapis.com.evil.example")),
            ("accounts.zoho.com", Some("https://evil.example/.zohoapis.com")),
            ("accounts.zoho.com", Some("http://www.zohoapis.com")),
            ("accounts.zoho.com", None),
        ] {
            assert!(api_base(accounts, api).is_err(), "{api:?}");
        }
    }
}
