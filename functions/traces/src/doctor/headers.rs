//! The three headers of a signed request, as they came: what is missing, under another name, or of another form.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use shared::sign::{MOST_SIGNATURES, TOLERANCE_S};

use super::finding::{Finding, Name};

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";
/// More seconds than these are the year 5138: they are milliseconds.
const MILLISECONDS: i64 = 100_000_000_000;
/// What HMAC-SHA256 makes.
const LENGTH: usize = 32;
/// So much of a name that somebody else has chosen is shown.
const SHOWN: usize = 60;

/// What the headers say, as far as they can be read.
#[derive(Default)]
pub struct Headers {
    /// The id, even where it came under another name.
    pub id: String,
    /// The timestamp as it came, likewise.
    pub time: String,
    /// The same in seconds since 1970.
    pub seconds: Option<i64>,
    /// The signatures that can be read, at most eight.
    pub given: Vec<Given>,
}

/// A signature that can be read.
pub struct Given {
    /// Its 32 bytes.
    pub bytes: Vec<u8>,
    /// What is wrong with the way in which it is written.
    pub flaw: Option<&'static str>,
}

/// The headers of a request: names in lower case, values without white space around them, as HTTP hands them on.
pub struct Sent(Vec<(String, String)>);

impl Sent {
    /// As they were received.
    pub fn new(all: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(all.into_iter().map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned())).collect())
    }

    /// A header by its name in lower case, where it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The three headers under their own names, as whoever checks them has them.
    pub fn of_signature(&self) -> HeaderMap {
        [ID, TIMESTAMP, SIGNATURE]
            .into_iter()
            .filter_map(|name| Some((HeaderName::from_static(name), HeaderValue::from_str(self.get(name)?).ok()?)))
            .collect()
    }

    /// The header, or the one that stands in its place.
    fn find(&self, name: &'static str, findings: &mut Vec<Finding>) -> Option<&str> {
        if self.0.iter().filter(|(other, _)| other == name).count() > 1 {
            findings.push(malformed(name, "is there more than once: only the first is looked at"));
        }
        if let Some(value) = self.get(name) {
            return Some(value);
        }
        let stand_in = self.0.iter().find(|(other, _)| stands_for(other, name));
        let detail = match stand_in {
            Some((other, _)) => format!("{name} is not there, but {} is", shown(other)),
            None => format!("{name} is not there"),
        };
        findings.push(Finding::of(Name::HeaderMissing, detail));
        stand_in.map(|(_, value)| value.as_str())
    }
}

impl Headers {
    /// Reads them; and what is wrong with them.
    pub fn read(sent: &Sent) -> (Self, Vec<Finding>) {
        let mut headers = Self::default();
        let mut findings = Vec::new();
        if let Some(id) = sent.find(ID, &mut findings) {
            findings.extend(flaw_of_id(id).map(|flaw| malformed(ID, flaw)));
            headers.id = id.to_owned();
        }
        if let Some(time) = sent.find(TIMESTAMP, &mut findings) {
            let (seconds, flaw) = seconds(time);
            findings.extend(flaw.map(|flaw| malformed(TIMESTAMP, flaw)));
            headers.seconds = seconds;
            headers.time = time.to_owned();
        }
        if let Some(signatures) = sent.find(SIGNATURE, &mut findings) {
            headers.given = read_signatures(signatures, &mut findings);
        }
        (headers, findings)
    }

    /// Whether it was signed too long before it was received, or after. Without a time of its coming it is held against now.
    pub fn clock(&self, received_at: Option<Timestamp>, now: Timestamp) -> Option<Finding> {
        let late = received_at.unwrap_or(now).as_second().saturating_sub(self.seconds?);
        if late.unsigned_abs() <= TOLERANCE_S {
            return None;
        }
        let by = late.unsigned_abs();
        let (direction, when) = match (late > 0, received_at) {
            (true, Some(_)) => ("before", "it was received"),
            (false, Some(_)) => ("after", "it was received"),
            (true, None) => ("before", "now"),
            (false, None) => ("after", "now"),
        };
        let finding = Finding::of(
            Name::Clock,
            format!("{TIMESTAMP} is {by} seconds {direction} {when}, and {TOLERANCE_S} either way are allowed"),
        );
        Some(match received_at {
            Some(_) => finding,
            None => finding.advise("Give received_at: without it, the request is held against the clock of now."),
        })
    }
}

fn malformed(header: &str, flaw: &str) -> Finding {
    Finding::of(Name::HeaderMalformed, format!("{header} {flaw}"))
}

fn shown(name: &str) -> String {
    name.chars().take(SHOWN).collect()
}

/// Whether a header is the other one by another name: `svix-id`, `x-webhook-id`, `webhook_id`, `x-hub-signature-256`.
fn stands_for(other: &str, name: &str) -> bool {
    let other = other.replace('_', "-");
    let part = name.trim_start_matches("webhook-");
    let of_a_webhook = other.contains("webhook") || other.contains("svix");
    other.split('-').any(|word| word == part) && (of_a_webhook || part != "id")
}

fn flaw_of_id(id: &str) -> Option<&'static str> {
    if !(1..=255).contains(&id.len()) {
        return Some("must have 1 to 255 characters");
    }
    if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("holds something else than visible ASCII");
    }
    id.contains('.').then_some("must not hold a `.`, which parts it from the timestamp in what is signed")
}

fn seconds(time: &str) -> (Option<i64>, Option<&'static str>) {
    let digits = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    match time.parse::<i64>() {
        Ok(seconds) if digits && seconds < MILLISECONDS => (Some(seconds), None),
        Ok(milliseconds) if digits => {
            (Some(milliseconds / 1_000), Some("is in milliseconds, and must be in seconds since 1970"))
        }
        _ => match time.parse::<Timestamp>() {
            Ok(at) => (Some(at.as_second()), Some("is a date, and must be seconds since 1970, in digits alone")),
            Err(_) => (None, Some("must be seconds since 1970, in digits alone")),
        },
    }
}

fn read_signatures(header: &str, findings: &mut Vec<Finding>) -> Vec<Given> {
    let signatures: Vec<&str> = header.split_ascii_whitespace().collect();
    if signatures.is_empty() {
        findings.push(malformed(SIGNATURE, "is empty"));
    }
    if signatures.len() > MOST_SIGNATURES {
        findings.push(malformed(SIGNATURE, "has more than 8 signatures: only the first 8 are looked at"));
    }
    // Base64 has no comma: a second one begins another signature.
    let several_by_comma = signatures.iter().any(|signature| signature.matches(',').count() > 1);
    if several_by_comma {
        findings.push(malformed(SIGNATURE, "parts several signatures by commas, and must by single spaces"));
    }
    let read = signatures.iter().take(MOST_SIGNATURES).map(|one| read_signature(one.trim_end_matches(',')));
    // During a rotation there are several, and unknown ones are passed over: one that can be read is enough.
    let (readable, unreadable): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    if readable.is_empty() && !several_by_comma {
        findings.extend(unreadable.into_iter().filter_map(Result::err).take(1));
    }
    readable.into_iter().flatten().collect()
}

/// One signature, or why it cannot be read.
fn read_signature(one: &str) -> Result<Given, Finding> {
    let algorithm = |what: &str| Finding::of(Name::Algorithm, format!("{SIGNATURE} {what}"));
    let (text, has_version) = match one.split_once([',', '=', ':']) {
        Some(("v1a", _)) => return Err(algorithm("is of version v1a (Ed25519), and must be of v1 (HMAC-SHA256)")),
        Some(("v1", text)) => (text, one.starts_with("v1,")),
        Some(("sha256" | "hmac-sha256", text)) => (text, false),
        Some((version, _)) if is_version(version) => return Err(algorithm("is of another version than v1")),
        _ => (one, false),
    };
    let (bytes, flaw) = decoded(text)
        .ok_or_else(|| malformed(SIGNATURE, "must be `v1,` and base64, and holds something else, or is cut off"))?;
    match bytes.len() {
        LENGTH => {}
        20 => return Err(algorithm("has 20 bytes, as SHA-1 makes them; HMAC-SHA256 makes 32")),
        48 | 64 => return Err(algorithm("is longer than the 32 bytes that HMAC-SHA256 makes")),
        _ => return Err(malformed(SIGNATURE, "has not the 32 bytes that HMAC-SHA256 makes: it is cut off")),
    }
    let flaw = flaw.or((!has_version).then_some("lacks `v1,` before it"));
    Ok(Given { bytes, flaw })
}

fn is_version(text: &str) -> bool {
    text.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        || matches!(text, "sha1" | "sha512" | "hmac-sha1" | "hmac-sha512")
}

/// The bytes of a signature, and what is wrong where they are not written in base64.
fn decoded(text: &str) -> Option<(Vec<u8>, Option<&'static str>)> {
    let text = text.as_bytes();
    // Of 40 digits or more: 64 of them are base64, too, and of no use as that.
    if text.len() >= 40
        && let Ok(bytes) = HEXLOWER_PERMISSIVE.decode(text)
    {
        return Some((bytes, Some("is written in hexadecimal, and must be in base64")));
    }
    if let Ok(bytes) = BASE64.decode(text) {
        return Some((bytes, None));
    }
    if let Ok(bytes) = BASE64_NOPAD.decode(text) {
        return Some((bytes, Some("lacks the `=` at its end, and must be base64 with its padding")));
    }
    let url = BASE64URL.decode(text).or_else(|_| BASE64URL_NOPAD.decode(text)).ok()?;
    Some((url, Some("is written in base64 for addresses (`-` and `_`), and must be in that with `+` and `/`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const TIME: &str = "1614265330";

    fn sent(pairs: &[(&str, &str)]) -> Sent {
        Sent::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn found(pairs: &[(&str, &str)]) -> Vec<(Name, String)> {
        Headers::read(&sent(pairs)).1.into_iter().map(|finding| (finding.name, finding.detail)).collect()
    }

    fn with(name: &str, value: &str) -> Vec<(Name, String)> {
        let mut pairs = vec![(ID, "msg_1"), (TIMESTAMP, TIME), (SIGNATURE, GOOD)];
        pairs.retain(|(other, _)| *other != name);
        pairs.push((name, value));
        found(&pairs)
    }

    #[test]
    fn as_they_should_be_in_any_case_and_with_space_around() {
        let all = sent(&[("Webhook-Id", "msg_1 "), ("WEBHOOK-TIMESTAMP", " 1614265330"), (SIGNATURE, GOOD)]);
        let (headers, findings) = Headers::read(&all);
        assert!(findings.is_empty());
        assert_eq!((headers.id.as_str(), headers.seconds, headers.given.len()), ("msg_1", Some(1_614_265_330), 1));
        assert_eq!(headers.given[0].flaw, None);
        assert_eq!(all.of_signature().len(), 3);
    }

    #[test]
    fn another_name_is_named_and_seen_through() {
        for (id, time, signature) in [
            ("svix-id", "svix-timestamp", "svix-signature"),
            ("X-Webhook-Id", "x-webhook-timestamp", "x-hub-signature-256"),
            ("HTTP_WEBHOOK_ID", "HTTP_WEBHOOK_TIMESTAMP", "HTTP_WEBHOOK_SIGNATURE"),
        ] {
            let all = sent(&[(id, "msg_1"), (time, TIME), (signature, GOOD)]);
            let (headers, findings) = Headers::read(&all);
            let details: Vec<_> = findings.iter().map(|finding| finding.detail.clone()).collect();
            let told = |name, other: &str| format!("{name} is not there, but {} is", other.to_lowercase());
            assert_eq!(details, [told(ID, id), told(TIMESTAMP, time), told(SIGNATURE, signature)]);
            assert!(findings.iter().all(|finding| finding.name == Name::HeaderMissing));
            assert_eq!((headers.id.as_str(), headers.seconds, headers.given.len()), ("msg_1", Some(1_614_265_330), 1));
            assert!(all.of_signature().is_empty(), "whoever checks them does not see through it");
        }
        let (headers, findings) = Headers::read(&sent(&[("x-request-id", "7"), ("content-type", "text/plain")]));
        assert_eq!((headers.id.as_str(), findings.len()), ("", 3), "not every id is that of a webhook");
    }

    #[test]
    fn each_form_that_is_not_the_right_one_is_named() {
        use Name::{Algorithm, HeaderMalformed};
        let v1a = GOOD.replace("v1,", "v1a,");
        let v2 = GOOD.replace("v1,", "v2,");
        for (header, value, name, says) in [
            (ID, "", HeaderMalformed, "1 to 255"),
            (ID, "msg.1", HeaderMalformed, "`.`"),
            (ID, "msg 1", HeaderMalformed, "ASCII"),
            (TIMESTAMP, "1614265330000", HeaderMalformed, "milliseconds"),
            (TIMESTAMP, "2021-02-25T15:02:10Z", HeaderMalformed, "date"),
            (TIMESTAMP, "+1614265330", HeaderMalformed, "digits"),
            (TIMESTAMP, "1614265330.5", HeaderMalformed, "digits"),
            (TIMESTAMP, "99999999999999999999", HeaderMalformed, "digits"),
            (TIMESTAMP, "", HeaderMalformed, "digits"),
            (SIGNATURE, "", HeaderMalformed, "empty"),
            (SIGNATURE, "v1,g0hM9SsE", HeaderMalformed, "cut off"),
            (SIGNATURE, "v1,nonsense!", HeaderMalformed, "base64"),
            (SIGNATURE, &v1a, Algorithm, "Ed25519"),
            (SIGNATURE, &v2, Algorithm, "another version"),
            (SIGNATURE, "sha1=2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", Algorithm, "another version"),
            (SIGNATURE, "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", Algorithm, "SHA-1"),
        ] {
            let [(found, detail)] = &with(header, value)[..] else { panic!("{header}: {value}") };
            assert_eq!(*found, name, "{header}: {value}");
            assert!(detail.starts_with(header) && detail.contains(says), "{value}: {detail}");
        }
        let twice = found(&[(ID, "msg_1"), ("Webhook-ID", "msg_2"), (TIMESTAMP, TIME), (SIGNATURE, GOOD)]);
        assert!(matches!(&twice[..], [(HeaderMalformed, detail)] if detail.contains("more than once")), "{twice:?}");
    }

    #[test]
    fn a_signature_is_read_however_it_is_written() {
        let bytes = BASE64.decode(&GOOD.as_bytes()[3..]).unwrap();
        let hex = data_encoding::HEXLOWER.encode(&bytes);
        for (one, flaw) in [
            (GOOD.to_owned(), None),
            (GOOD[3..].to_owned(), Some("`v1,`")),
            (format!("v1={}", &GOOD[3..]), Some("`v1,`")),
            (format!("sha256={hex}"), Some("hexadecimal")),
            (format!("v1,{hex}"), Some("hexadecimal")),
            (hex.to_uppercase(), Some("hexadecimal")),
            (format!("v1,{}", BASE64URL.encode(&bytes)), Some("addresses")),
            (format!("v1,{}", BASE64URL_NOPAD.encode(&bytes)), Some("addresses")),
            (GOOD.trim_end_matches('=').to_owned(), Some("`=`")),
        ] {
            let given = read_signature(&one).unwrap_or_else(|finding| panic!("{one}: {}", finding.detail));
            assert_eq!(given.bytes, bytes, "{one}");
            match flaw {
                None => assert_eq!(given.flaw, None, "{one}"),
                Some(word) => assert!(given.flaw.unwrap().contains(word), "{one}: {:?}", given.flaw),
            }
        }
    }

    #[test]
    fn of_several_one_that_can_be_read_is_enough() {
        assert_eq!(with(SIGNATURE, &format!("v1a,xyz v1,short {GOOD}")), []);
        for (several, says) in
            [([GOOD; 9].join(" "), "more than 8"), ([GOOD; 2].join(", "), "commas"), ([GOOD; 2].join(","), "commas")]
        {
            let found = with(SIGNATURE, &several);
            assert!(matches!(&found[..], [(Name::HeaderMalformed, detail)] if detail.contains(says)), "{found:?}");
        }
        let all = sent(&[(SIGNATURE, [GOOD; 20].join(" ").as_str())]);
        assert_eq!(Headers::read(&all).0.given.len(), 8);
    }

    #[test]
    fn a_clock_may_be_off_by_five_minutes_either_way() {
        let (headers, _) = Headers::read(&sent(&[(TIMESTAMP, TIME)]));
        let at = |second| Timestamp::from_second(second).unwrap();
        let clock = |received: i64| headers.clock(Some(at(received)), at(0)).map(|finding| finding.detail);
        assert_eq!((clock(1_614_265_330 + 300), clock(1_614_265_330 - 300)), (None, None));
        let (late, early) = (clock(1_614_265_330 + 301).unwrap(), clock(1_614_265_330 - 742).unwrap());
        assert!(late.contains("301 seconds before it was received"), "{late}");
        assert!(early.contains("742 seconds after it was received"), "{early}");
        let now = headers.clock(None, at(1_614_265_330 + 3_600)).unwrap();
        assert!(now.detail.contains("3600 seconds before now") && now.advice.contains("received_at"), "{now:?}");
        assert!(Headers::default().clock(None, at(0)).is_none());
    }
}
