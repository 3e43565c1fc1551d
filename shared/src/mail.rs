//! The way out by e-mail: to addresses that tenants give, through Amazon SES.
//!
//! SES knows no token by which it would tell a request that comes again: what is sent again after a time-out, or by the
//! successor of a worker that was killed, may arrive twice. Both bear the same `X-Crossdock-Id`.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sesv2::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::send_email::SendEmailError,
    types::{Body, Content, Destination, EmailContent, Message, MessageHeader},
};
use url::Host;

use crate::{
    egress::{Answer, Answered, Silence},
    error::{Error, Result},
    event::Email,
    trace::TraceId,
};

/// For everything, as the way out has it.
const WHOLE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(3);

/// The longest address that is taken, and the most recipients.
const LONGEST: usize = 2_048;
const MOST: usize = 10;

/// An address that nothing can be sent to, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(&'static str);

/// Who is written to: the addresses of a `mailto:` (RFC 6068).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients(Vec<(String, String)>);

/// What stands behind `mailto:`, if that is what an address begins with.
fn of_mailto(url: &str) -> Option<&str> {
    const SCHEME: &str = "mailto:";
    let (scheme, rest) = url.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

/// Whether an address is one of e-mail, right or wrong.
pub fn is_mailto(url: &str) -> bool {
    of_mailto(url).is_some()
}

impl Recipients {
    /// Reads `mailto:a@example.com,b@example.com`: 1 to 10 addresses in plain letters, and nothing else. A domain in
    /// another script is taken and written to in Punycode, as SES wants it.
    pub fn read(url: &str) -> Result<Self, Refused> {
        if url.len() > LONGEST {
            return Err(Refused("must have at most 2,048 characters"));
        }
        let list = of_mailto(url).ok_or(Refused("must begin with mailto:"))?;
        if list.contains(['?', '#']) {
            return Err(Refused("must carry addresses alone: no header fields, no question mark"));
        }
        let mut found: Vec<(String, String)> = Vec::new();
        for one in list.split(',') {
            let one = address(one)?;
            if !found.contains(&one) {
                found.push(one);
            }
        }
        match found.len() {
            1..=MOST => Ok(Self(found)),
            _ => Err(Refused("must name at most 10 addresses")),
        }
    }

    /// Their domains, each once: what may be shown.
    pub fn domains(&self) -> String {
        let domains: BTreeSet<&str> = self.0.iter().map(|(_, domain)| domain.as_str()).collect();
        domains.into_iter().collect::<Vec<_>>().join(", ")
    }

    fn addresses(&self) -> Vec<String> {
        self.0.iter().map(|(local, domain)| format!("{local}@{domain}")).collect()
    }
}

/// One address, as most are: a dot-atom (RFC 5322) without `%`, which would begin an escape here, and a name of the public
/// internet.
fn address(text: &str) -> Result<(String, String), Refused> {
    const NONE: Refused = Refused("must be mailto: and addresses such as ops@example.com, separated by commas");
    let (local, domain) = text.split_once('@').ok_or(NONE)?;
    let is_atom = |atom: &str| {
        !atom.is_empty() && atom.bytes().all(|c| c.is_ascii_alphanumeric() || b"!$&'*+-/=^_`{|}~".contains(&c))
    };
    if !(1..=64).contains(&local.len()) || !local.split('.').all(is_atom) || domain.contains('%') {
        return Err(NONE);
    }
    let Ok(Host::Domain(domain)) = Host::parse(domain) else { return Err(NONE) };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    if domain.len() > 253 || !domain.contains('.') || !domain.split('.').all(is_label) {
        return Err(NONE);
    }
    Ok((local.to_owned(), domain))
}

/// What is sent, beside its text.
pub struct Letter<'a> {
    /// What tells it from every other, whenever it is sent.
    pub id: &'a str,
    /// What ties it to its event.
    pub trace: TraceId,
    /// What it says.
    pub email: Email,
}

/// The way out by e-mail; without a sender's address there is none. Cheap to clone, and nothing is built before the first
/// letter: who sends none starts as fast as without it.
#[derive(Clone, Default)]
pub struct Mail(Option<Arc<Way>>);

struct Way {
    sdk: SdkConfig,
    from: String,
    client: OnceLock<Client>,
}

impl Mail {
    /// From this address, which SES has verified, or whose domain it has; none where it is empty.
    pub fn new(sdk: &SdkConfig, from: String) -> Self {
        let way = |from| Arc::new(Way { sdk: sdk.clone(), from, client: OnceLock::new() });
        Self(Some(from).filter(|from| !from.is_empty()).map(way))
    }

    /// Sends one letter to all of them, once, and reports what came of it.
    ///
    /// # Errors
    /// What is wrong with the installation and not with the letter: no sender, one that is not verified, an account that
    /// must not send, rights that are missing. It passes when its operator has mended it.
    pub async fn send(&self, to: &Recipients, letter: Letter<'_>) -> Result<Answer> {
        let Some(way) = &self.0 else { return Err(unable("MAIL_FROM is empty".into())) };
        let request = way.client.get_or_init(|| way.build()).send_email();
        let message = message(&letter).map_err(|cause| Error::internal("a letter cannot be made", cause))?;
        let began = Instant::now();
        let sent = request
            .from_email_address(&way.from)
            .destination(Destination::builder().set_to_addresses(Some(to.addresses())).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await;
        let outcome = match sent {
            Ok(sent) => Ok(Answered { status: 200, retry_after: None, body: sent.message_id.unwrap_or_default() }),
            Err(error) => refused(&error, to)?,
        };
        Ok(Answer { took: began.elapsed(), outcome })
    }
}

impl Way {
    fn build(&self) -> Client {
        let time = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(WHOLE).build();
        let settings = aws_sdk_sesv2::config::Builder::from(&self.sdk)
            .timeout_config(time)
            // The engine tries again, and writes down each try.
            .retry_config(RetryConfig::disabled())
            .build();
        Client::from_conf(settings)
    }
}

fn message(letter: &Letter<'_>) -> Result<Message, aws_sdk_sesv2::error::BuildError> {
    let text = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let header = |name: &str, value: &str| MessageHeader::builder().name(name).value(value).build();
    Ok(Message::builder()
        .subject(text(&letter.email.subject)?)
        .body(Body::builder().text(text(&letter.email.text)?).build())
        .headers(header("X-Crossdock-Id", letter.id)?)
        .headers(header("X-Crossdock-Trace", &letter.trace.to_string())?)
        .build())
}

/// What an answer that is no success says of the letter, or of us.
fn refused(error: &SdkError<SendEmailError, HttpResponse>, to: &Recipients) -> Result<Result<Answered, Silence>> {
    match error {
        SdkError::ServiceError(_) => {}
        SdkError::TimeoutError(_) => return Ok(Err(Silence::Timeout)),
        SdkError::DispatchFailure(why) if why.is_timeout() => return Ok(Err(Silence::Timeout)),
        SdkError::ConstructionFailure(_) => return Err(unable(format!("no request could be made: {error:?}"))),
        _ => return Ok(Err(Silence::Network)),
    }
    let (code, text) = (error.code().unwrap_or("an error"), error.message().unwrap_or_default());
    let status = error.raw_response().map_or(500, |answer| answer.status().as_u16());
    // What SES says is logged and shown; whom it says it of is a secret of the endpoint.
    let mut addresses = to.addresses();
    // One may be the end of another.
    addresses.sort_by_key(|address| std::cmp::Reverse(address.len()));
    let told = addresses.iter().fold(text.to_owned(), |text, address| text.replace(address.as_str(), "(recipient)"));
    let body = format!("{code}: {told}");
    if is_ours(status, code, text) {
        return Err(unable(format!("HTTP {status} {body}")));
    }
    // A peak of the account's sending, whatever status it comes with (docs.aws.amazon.com, SES, errors of sending quotas).
    let status =
        if matches!(code, "ThrottlingException" | "Throttling" | "TooManyRequestsException") { 429 } else { status };
    let retry_after = error.raw_response().and_then(|answer| answer.headers().get("retry-after")?.parse().ok());
    Ok(Ok(Answered { status, retry_after, body }))
}

/// Whether an error is about the installation: every letter would be met by it until its operator has done something.
fn is_ours(status: u16, code: &str, text: &str) -> bool {
    match code {
        // Of the sender, and of recipients while the account is in SES's sandbox. Else it is about what the letter says.
        "MessageRejected" => text.contains("not verified"),
        // The day's quota is used up, not the second's.
        _ if text.contains("Daily message quota") => true,
        "MailFromDomainNotVerifiedException"
        | "AccountSuspendedException"
        | "SendingPausedException"
        | "LimitExceededException" => true,
        _ => matches!(status, 401 | 403 | 404),
    }
}

/// Told aloud: nobody but the operator can mend it.
fn unable(cause: String) -> Error {
    crate::metrics::count("MailUnable", 1);
    tracing::error!(cause, "no e-mail leaves, and what is due waits: see to the sender's address and to SES");
    Error::Upstream { what: "this installation cannot send e-mail at present".into(), cause: cause.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_only_their_domains_shown() {
        let read = Recipients::read("MAILTO:ops@Example.com,o'neil+alerts@bücher.example,ops@example.com").unwrap();
        assert_eq!(read.addresses(), ["ops@example.com", "o'neil+alerts@xn--bcher-kva.example"]);
        assert_eq!(read.domains(), "example.com, xn--bcher-kva.example");
        assert!(!is_mailto("https://hook.eu1.make.com/mailto:a@b.c") && !is_mailto("mail") && is_mailto("mailto:"));
    }

    #[test]
    fn what_is_no_plain_list_of_addresses_is_refused() {
        for (url, why) in [
            ("mailto:ops@example.com?bcc=all@example.com", "header fields"),
            ("mailto:ops@example.com#x", "header fields"),
            ("https://example.com", "mailto:"),
            ("mailto:", "such as"),
            ("mailto:ops", "such as"),
            ("mailto:ops@localhost", "such as"),
            ("mailto:ops@127.0.0.1", "such as"),
            ("mailto:ops@[::1]", "such as"),
            ("mailto:a@b@example.com", "such as"),
            ("mailto:ops@example.com,", "such as"),
            ("mailto:a@example.com, b@example.com", "such as"),
            ("mailto:a..b@example.com", "such as"),
            ("mailto:ops%40example.com", "such as"),
            ("mailto:ops@example%2ecom", "such as"),
            ("mailto:ops%0d%0aBcc:x@example.com", "such as"),
            ("mailto:Ops <ops@example.com>", "such as"),
            ("mailto:bücher@example.com", "such as"),
            ("mailto:ops@-a.example.com", "such as"),
            ("mailto:ops@a_b.example.com", "such as"),
            ("mailto:ops@example.com.", "such as"),
        ] {
            let refused = Recipients::read(url).expect_err(url);
            assert!(refused.to_string().contains(why), "{url}: {refused}");
        }
        let many = |n: usize| {
            format!(
                "mailto:{}",
                vec!["x"; n]
                    .iter()
                    .enumerate()
                    .map(|(n, x)| format!("{x}{n}@example.com"))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        };
        assert!(Recipients::read(&many(10)).is_ok());
        assert!(Recipients::read(&many(11)).unwrap_err().to_string().contains("10"));
        assert!(Recipients::read(&format!("mailto:{}@example.com", "a".repeat(65))).is_err());
        assert!(Recipients::read(&many(200)).unwrap_err().to_string().contains("2,048"));
    }

    #[test]
    fn what_every_letter_would_meet_is_ours_and_what_is_about_one_is_not() {
        for (status, code, text, ours) in [
            (400, "MessageRejected", "Email address is not verified. The following identities failed …", true),
            (400, "MessageRejected", "Bad content: a virus", false),
            (400, "BadRequestException", "Local address contains control or whitespace", false),
            (400, "MailFromDomainNotVerifiedException", "", true),
            (400, "AccountSuspendedException", "", true),
            (400, "SendingPausedException", "", true),
            (400, "LimitExceededException", "", true),
            (403, "AccessDeniedException", "", true),
            (404, "NotFoundException", "", true),
            (429, "TooManyRequestsException", "", false),
            (400, "ThrottlingException", "Maximum sending rate exceeded.", false),
            (400, "ThrottlingException", "Daily message quota exceeded.", true),
            (500, "InternalFailure", "", false),
        ] {
            assert_eq!(is_ours(status, code, text), ours, "{code}");
        }
    }
}
