//! The pages that a person sees whose browser comes back from a CRM.

use http::StatusCode;
use shared::{
    connection::{Connection, Provider},
    http::{Call, Reply},
};
use url::form_urlencoded;

use crate::failure::Failure;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#1c2430;background:#f4f6f8;margin:0}\
main{max-width:32rem;margin:12vh auto;padding:2rem;background:#fff;border:1px solid #dde3ea;border-radius:8px}\
h1{font-size:1.4rem;margin:0 0 1rem}button{font:inherit;padding:.5rem 1.2rem;border:0;border-radius:6px;background:#1f5fbf;color:#fff}\
@media(prefers-color-scheme:dark){body{color:#e6eaf0;background:#12161c}main{background:#1b212a;border-color:#2c3542}}";

/// It worked.
pub fn connected(connection: &Connection) -> Reply {
    let account = &connection.account;
    let who = match (&account.company, &account.name, &account.email) {
        (_, Some(name), Some(email)) if account.company.as_ref().is_none_or(|company| company == name) => {
            format!("{name} ({email})")
        }
        (Some(company), Some(name), Some(email)) => format!("{company}: {name} ({email})"),
        (company, name, email) => company.iter().chain(name).chain(email).cloned().collect::<Vec<_>>().join(", "),
    };
    let lines = [format!("Account: {who}"), "You can close this window and go on where you began.".into()];
    page(StatusCode::OK, &format!("{} is connected", connection.provider.name()), &lines, "")
}

/// Nobody knows who sits before this browser: the person says whether it means it.
pub fn question(call: &Call, provider: Option<Provider>, company: &str) -> Reply {
    let crm = name(provider);
    let lines = [
        format!("{company} will be able to read and change what is in your {crm} account."),
        format!(
            "Go on only if you began this yourself, and for {company}. If somebody sent you here, close this window."
        ),
    ];
    let again: String = form_urlencoded::parse(call.query_string().as_bytes())
        .filter(|(name, _)| name != "confirmed")
        .map(|(name, value)| {
            format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(&name), escaped(&value))
        })
        .collect();
    let form = format!(
        "<form method=\"get\">{again}<input type=\"hidden\" name=\"confirmed\" value=\"yes\">\
         <button>Connect {} to {}</button></form>",
        escaped(crm),
        escaped(company)
    );
    page(StatusCode::OK, &format!("Connect {crm} to {company}?"), &lines, &form)
}

/// It came to nothing, why, and what to do now.
pub fn failed(provider: Option<Provider>, failure: &Failure) -> Reply {
    let crm = name(provider);
    let again = "Go back to the integrations page and begin again.";
    let nothing = format!("{crm} was not connected, and nothing was stored.");
    let (status, title, lines) = match failure {
        Failure::Unknown => (
            StatusCode::BAD_REQUEST,
            "This address is not complete".to_owned(),
            vec!["It does not belong to a sign-in that we know.".to_owned(), again.into()],
        ),
        Failure::Expired => (
            StatusCode::GONE,
            "This sign-in has expired".into(),
            vec!["There are ten minutes for it.".into(), again.into()],
        ),
        Failure::Used => (
            StatusCode::GONE,
            "This sign-in is over already".into(),
            vec![
                "Each works once. If you have just reloaded the page, nothing is lost: the integrations page shows whether it is connected.".into(),
                format!("If it is not: {again}"),
            ],
        ),
        Failure::OtherBrowser => (
            StatusCode::FORBIDDEN,
            "This sign-in was begun in another browser".into(),
            vec!["For your safety it can only be finished where it was begun.".into(), again.into()],
        ),
        Failure::OtherProvider => (
            StatusCode::BAD_REQUEST,
            "This sign-in was begun for another CRM".into(),
            vec![nothing, again.into()],
        ),
        Failure::Declined => (
            StatusCode::FORBIDDEN,
            format!("You declined at {crm}"),
            vec![nothing, "If that was a mistake, begin again on the integrations page.".into()],
        ),
        Failure::SentBack(error) => (
            StatusCode::BAD_GATEWAY,
            format!("{crm} reports an error"),
            vec![nothing, format!("It says: {error}."), again.into()],
        ),
        Failure::CodeRefused(error) => (
            StatusCode::BAD_REQUEST,
            format!("{crm} did not accept this sign-in"),
            vec![nothing, format!("Most often it took too long. {crm} says: {error}."), again.into()],
        ),
        Failure::NotSetUp(error) => (
            StatusCode::BAD_GATEWAY,
            format!("{crm} is not set up correctly here"),
            vec![nothing, format!("You cannot change that; we have been told. It says: {error}.")],
        ),
        Failure::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{crm} is busy"),
            vec![nothing, "It has had too many requests. Wait ten minutes, then begin again on the integrations page.".into()],
        ),
        Failure::Down(_) => (
            StatusCode::BAD_GATEWAY,
            format!("{crm} does not answer as it should"),
            vec![nothing, format!("Try again in a few minutes. {again}")],
        ),
        Failure::Untrusted(_) => (
            StatusCode::BAD_GATEWAY,
            format!("The answer of {crm} could not be trusted"),
            vec![nothing, format!("We have been told. {again}")],
        ),
        Failure::NoLastingAccess => (
            StatusCode::BAD_REQUEST,
            format!("{crm} did not give lasting access"),
            vec![
                nothing,
                format!("Begin again on the integrations page and agree to everything that {crm} asks, offline access included."),
            ],
        ),
        Failure::NoAccount(status) => (
            StatusCode::BAD_GATEWAY,
            format!("Your {crm} account could not be read"),
            vec![
                nothing,
                format!("You may lack a role or a permission there, or did not agree to all that it asked ({status}). Ask who administers it, then begin again."),
            ],
        ),
        Failure::NoEnvironment => (
            StatusCode::BAD_REQUEST,
            "You have no Dynamics 365 environment".into(),
            vec![nothing, "Sign in as somebody who has one, or name its address when you begin.".into()],
        ),
        Failure::ChooseEnvironment(found) => {
            let list = found.iter().map(|(url, name)| format!("{name}: {url}"));
            let first = "You have several environments. Begin again and name the address of one of these:".to_owned();
            (
                StatusCode::BAD_REQUEST,
                "Which environment?".into(),
                [nothing, first].into_iter().chain(list).collect(),
            )
        }
        Failure::Ours(error) => (
            error.answer().0,
            "Something went wrong on our side".into(),
            vec![nothing, format!("We have been told. Try again in a few minutes. {again}")],
        ),
    };
    page(status, &title, &lines, "")
}

fn name(provider: Option<Provider>) -> &'static str {
    provider.map_or("The CRM", Provider::name)
}

fn page(status: StatusCode, title: &str, lines: &[String], form: &str) -> Reply {
    let title = escaped(title);
    let lines: String = lines.iter().map(|line| format!("<p>{}</p>", escaped(line))).collect();
    Reply::page(
        status,
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style>\
             <main><h1>{title}</h1>{lines}{form}</main></html>\n"
        ),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
