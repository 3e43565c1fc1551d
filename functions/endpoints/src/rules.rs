//! What holds for the fields of an endpoint, whether it is made or changed.

use secrecy::{ExposeSecret, SecretString};
use shared::{
    egress::{self, Egress},
    endpoint::is_make_key,
    event::Form,
    http::Fields,
    mail::{Recipients, is_mailto},
};

/// Notes what is wrong with a name.
pub fn name(body: &mut Fields, name: Option<&String>) {
    if name.is_some_and(|name| name.trim().is_empty() || name.chars().count() > 100 || name.contains(char::is_control))
    {
        body.fault("name", "must have 1 to 100 characters");
    }
}

/// What an endpoint of e-mail may want: it can name anybody's address, and nobody is to be flooded.
const NOTICES: [&str; 3] = ["alert.*", "alert.opened", "alert.resolved"];

/// Notes what is wrong with an address, or says its host; of an address of e-mail, the domains.
pub fn url(body: &mut Fields, egress: &Egress, mails: bool, url: Option<&SecretString>) -> Option<String> {
    let url = url?.expose_secret();
    let host = match is_mailto(url) {
        true if !mails => Err("cannot be an address of e-mail: this installation sends none".to_owned()),
        true => Recipients::read(url).map(|to| to.domains()).map_err(|why| why.to_string()),
        false => egress.check(url).map(|url| egress::host(&url)).map_err(|why| why.to_string()),
    };
    host.map_err(|why| body.fault("url", why)).ok()
}

/// Notes what one of e-mail cannot have, and what only such a one can.
pub fn fits_address(
    body: &mut Fields,
    is_mail: bool,
    form: Option<Form>,
    make_key: Option<&SecretString>,
    event_types: Option<&Vec<String>>,
) {
    if form.is_some_and(|form| (form == Form::Email) != is_mail) {
        body.fault("payload_version", "is `email` where the url begins with mailto: and nowhere else");
    }
    if is_mail && make_key.is_some() {
        body.fault("make_api_key", "is for webhooks; the url is an address of e-mail");
    }
    if is_mail && event_types.is_some_and(|types| !types.iter().all(|wanted| NOTICES.contains(&wanted.as_str()))) {
        body.fault(
            "event_types",
            "can be alert.*, alert.opened and alert.resolved where the url is an address of e-mail",
        );
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
