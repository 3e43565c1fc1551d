//! Salesforce: the login host may be the tenant's own, the API is wherever the token says, and that is signed.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use shared::http::Fields;

use crate::{failure::Failure, tokens::Tokens};

/// For everybody, and for everybody's sandboxes.
const GENERIC: [&str; 2] = ["login.salesforce.com", "test.salesforce.com"];

/// The login host to begin at.
pub fn read(body: &mut Fields) -> Option<String> {
    let wanted: String = body.or("login_host", GENERIC[0].to_owned())?;
    let host = wanted.strip_prefix("https://").unwrap_or(&wanted).trim_end_matches('/').to_ascii_lowercase();
    if GENERIC.contains(&host.as_str()) || is_my_domain(&host) {
        return Some(host);
    }
    let why = if host.ends_with(".lightning.force.com") {
        "is the address of the user interface; the login host is your My Domain, for example acme.my.salesforce.com"
    } else {
        "must be login.salesforce.com, test.salesforce.com, or your My Domain such as acme.my.salesforce.com"
    };
    body.fault("login_host", why);
    None
}

fn is_my_domain(host: &str) -> bool {
    host.strip_suffix(".my.salesforce.com").is_some_and(is_name)
}

/// Labels of letters, digits and inner hyphens.
fn is_name(name: &str) -> bool {
    name.len() <= 200
        && name.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
}

/// The API of the org, if it is Salesforce's.
pub fn api_base(instance_url: Option<&str>) -> Result<String, Failure> {
    instance_url
        .and_then(|url| url.strip_prefix("https://"))
        .map(|host| host.trim_end_matches('/'))
        .filter(|host| host.strip_suffix(".salesforce.com").is_some_and(is_name))
        .map(|host| format!("https://{host}"))
        .ok_or(Failure::Untrusted("an instance that is not Salesforce's"))
}

/// The org's id out of the identity URL, whose signature only Salesforce and we can make.
pub fn org(tokens: &Tokens, client_secret: &SecretString) -> Result<String, Failure> {
    const BROKEN: Failure = Failure::Untrusted("an identity that Salesforce has not signed");
    let (Some(id), Some(issued_at), Some(signature)) = (&tokens.id, &tokens.issued_at, &tokens.signature) else {
        return Err(BROKEN);
    };
    let signature = BASE64.decode(signature.as_bytes()).map_err(|_| BROKEN)?;
    Hmac::<Sha256>::new_from_slice(client_secret.expose_secret().as_bytes())
        .map_err(|_| BROKEN)?
        .chain_update(id)
        .chain_update(issued_at)
        .verify_slice(&signature)
        .map_err(|_| BROKEN)?;

    let mut from_the_end = id.rsplit('/');
    let is_id = |part: &&str| matches!(part.len(), 15 | 18) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let _user = from_the_end.next().filter(is_id).ok_or(BROKEN)?;
    let org = from_the_end.next().filter(is_id).ok_or(BROKEN)?;
    Ok(org.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn begun_at(login_host: Value) -> Option<String> {
        let object = json!({ "login_host": login_host });
        read(&mut Fields::new(object.as_object().unwrap().clone(), ""))
    }

    #[test]
    fn one_may_begin_at_three_kinds_of_host() {
        assert_eq!(begun_at(Value::Null).unwrap(), "login.salesforce.com");
        for host in ["test.salesforce.com", "acme.my.salesforce.com", "acme--uat.sandbox.my.salesforce.com"] {
            assert_eq!(begun_at(host.into()).unwrap(), host);
        }
        assert_eq!(begun_at("https://Acme.my.salesforce.com/".into()).unwrap(), "acme.my.salesforce.com");
    }

    #[test]
    fn other_hosts_are_refused() {
        for host in [
            "acme.lightning.force.com",
            "evil.example",
            "my.salesforce.com",
            ".my.salesforce.com",
            "evil.example/.my.salesforce.com",
            "evil.example#.my.salesforce.com",
            "me@acme.my.salesforce.com",
            "acme.my.salesforce.com:8443",
            "http://acme.my.salesforce.com",
        ] {
            assert_eq!(begun_at(host.into()), None, "{host}");
        }
    }

    #[test]
    fn the_instance_is_salesforces_or_nobodys() {
        assert_eq!(api_base(Some("https://acme.my.salesforce.com")).unwrap(), "https://acme.my.salesforce.com");
        for url in [
            "http://acme.my.salesforce.com",
            "https://acme.my.salesforce.com.evil.example",
            "https://evil.example/x.salesforce.com",
            "https://evil.example?.salesforce.com",
        ] {
            assert!(api_base(Some(url)).is_err(), "{url}");
        }
        assert!(api_base(None).is_err());
    }

    #[test]
    fn an_identity_counts_if_it_is_signed() {
        let id = "https://login.salesforce.com/id/00D5g000004XyZaEAK/0055g00000ABCdeAAH";
        let mut mac = Hmac::<Sha256>::new_from_slice(b"hush").unwrap();
        mac.update(id.as_bytes());
        mac.update(b"1763640000123");
        let signature = BASE64.encode(&mac.finalize().into_bytes());
        let reply = json!({ "access_token": "x", "id": id, "issued_at": "1763640000123", "signature": signature });
        let tokens: Tokens = serde_json::from_value(reply.clone()).unwrap();

        assert_eq!(org(&tokens, &"hush".into()).unwrap(), "00D5g000004XyZaEAK");
        assert!(org(&tokens, &"another".into()).is_err());
        for field in ["id", "issued_at", "signature"] {
            let mut changed = reply.clone();
            changed[field] = "00".into();
            assert!(org(&serde_json::from_value(changed.clone()).unwrap(), &"hush".into()).is_err(), "{field}");
            changed.as_object_mut().unwrap().remove(field);
            assert!(org(&serde_json::from_value(changed).unwrap(), &"hush".into()).is_err(), "{field}");
        }
    }
}
