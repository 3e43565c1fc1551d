//! Dynamics 365: a token is for one environment, which the tenant names or, having only one, is found for it.

use serde::Deserialize;
use shared::{connection::Site, http::Fields};
use url::Url;

use crate::{
    account,
    ask::Door,
    failure::Failure,
    tokens::{self, Tokens},
};

/// Lists the environments of who signs in.
pub const DISCOVERY: &str = "https://globaldisco.crm.dynamics.com";

const LIST: &str = "/api/discovery/v2.0/Instances?$select=FriendlyName,Url";

/// The environment, where the tenant names one.
pub fn read(body: &mut Fields) -> Option<String> {
    let wanted: String = body.optional("environment_url")?;
    let found = environment(&wanted);
    if found.is_none() {
        body.fault(
            "environment_url",
            "must be the address of an environment, for example https://acme.crm4.dynamics.com",
        );
    }
    found
}

/// `https://{org}.crm{n}.dynamics.com`, also out of the address of its API or of one of its pages.
fn environment(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let plain =
        url.scheme() == "https" && url.port().is_none() && url.username().is_empty() && url.password().is_none();
    let (org, region) = url.host_str()?.strip_suffix(".dynamics.com")?.rsplit_once('.')?;
    let org = org.strip_suffix(".api").unwrap_or(org);
    let is_org =
        !org.is_empty() && org != "globaldisco" && org.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_region =
        region.strip_prefix("crm").is_some_and(|n| n.len() <= 3 && n.bytes().all(|byte| byte.is_ascii_digit()));
    (plain && is_org && is_region).then(|| format!("https://{org}.{region}.dynamics.com"))
}

#[derive(Deserialize)]
struct Instances {
    value: Vec<Instance>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    friendly_name: Option<String>,
    url: String,
}

/// The only environment of who signed in, and tokens for it: the refresh token is good for any.
pub async fn discover(door: &Door<'_>, tokens: &Tokens) -> Result<(String, Tokens), Failure> {
    let listed: Instances = account::get(door, DISCOVERY, LIST, &tokens.access_token).await?;
    let mut found: Vec<(String, String)> = listed
        .value
        .into_iter()
        .filter_map(|one| Some((environment(&one.url)?, one.friendly_name.unwrap_or_default())))
        .collect();
    let only = match found.len() {
        0 => return Err(Failure::NoEnvironment),
        1 => found.remove(0).0,
        _ => return Err(Failure::ChooseEnvironment(found)),
    };
    let refresh_token = tokens.refresh_token.as_ref().ok_or(Failure::NoLastingAccess)?;
    let site = Site { login_host: door.login_host.clone(), environment: Some(only.clone()) };
    let mut new = tokens::refresh(door, refresh_token, &door.vendor.scope(&site)).await?;
    new.refresh_token.get_or_insert_with(|| refresh_token.clone());
    Ok((only, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_known_by_its_host() {
        for text in [
            "https://acme.crm4.dynamics.com",
            "https://acme.crm4.dynamics.com/",
            "https://ACME.crm4.dynamics.com/main.aspx?appid=1",
            "https://acme.api.crm4.dynamics.com/api/data/v9.2",
        ] {
            assert_eq!(environment(text).as_deref(), Some("https://acme.crm4.dynamics.com"), "{text}");
        }
        assert_eq!(environment("https://acme.crm.dynamics.com").as_deref(), Some("https://acme.crm.dynamics.com"));
    }

    #[test]
    fn what_is_no_environment_is_refused() {
        for text in [
            "acme.crm4.dynamics.com",
            "http://acme.crm4.dynamics.com",
            "https://acme.crm4.dynamics.com:8443",
            "https://acme.crm4.dynamics.com@evil.example",
            "https://me:pass@acme.crm4.dynamics.com",
            "https://acme.crm4.dynamics.com.evil.example",
            "https://evil.example/.crm4.dynamics.com",
            "https://globaldisco.crm.dynamics.com",
            "https://a.b.crm4.dynamics.com",
            "https://acme.crmx.dynamics.com",
            "https://crm4.dynamics.com",
            "",
        ] {
            assert_eq!(environment(text), None, "{text}");
        }
    }
}
