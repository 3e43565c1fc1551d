//! What holds for the fields of an endpoint, whether it is made or changed.

use secrecy::{ExposeSecret, SecretString};
use shared::{
    egress::{self, Egress},
    endpoint::is_make_key,
    http::Fields,
};

/// Notes what is wrong with a name.
pub fn name(body: &mut Fields, name: Option<&String>) {
    if name.is_some_and(|name| name.trim().is_empty() || name.chars().count() > 100 || name.contains(char::is_control))
    {
        body.fault("name", "must have 1 to 100 characters");
    }
}

/// Notes what is wrong with an address, or says its host.
pub fn url(body: &mut Fields, egress: &Egress, url: Option<&SecretString>) -> Option<String> {
    match egress.check(url?.expose_secret()) {
        Ok(url) => Some(egress::host(&url)),
        Err(why) => {
            body.fault("url", why.to_string());
            None
        }
    }
}

/// Notes what is wrong with the key of a Make webhook.
pub fn make_key(body: &mut Fields, key: Option<&SecretString>) {
    if key.is_some_and(|key| !is_make_key(key.expose_secret())) {
        body.fault("make_api_key", "must have 1 to 512 ASCII characters");
    }
}

/// Notes what is wrong with types of event.
pub fn event_types(body: &mut Fields, types: Option<&Vec<String>>) {
    if types.is_some_and(|types| types.len() > 50 || types.iter().any(|one| one.is_empty() || one.len() > 100)) {
        body.fault("event_types", "must have at most 50 entries of 1 to 100 characters");
    }
}

/// Notes what is wrong with the days that a log is kept.
pub fn retention_days(body: &mut Fields, days: Option<u16>) {
    if days.is_some_and(|days| !(1..=365).contains(&days)) {
        body.fault("retention_days", "must be 1 to 365");
    }
}
