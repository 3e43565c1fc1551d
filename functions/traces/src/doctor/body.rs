//! The body that a delivery was sent with, made again from what is stored; and where two bodies differ.

use serde_json::value::RawValue;
use shared::{
    Result, booking,
    delivery::Delivery,
    event::{Context, Form},
    key, outcome,
    raw::{Columns, canonical, columns},
    secrets::Keyring,
};

use super::{Deps, forms::MARK};

/// So many differences are looked for.
const LOOKED_FOR: usize = 200;
/// So much of a pointer is told, in bytes: names of fields may be of any length.
const LONGEST: usize = 300;
/// What lies deeper is compared as text.
const DEEPEST: u32 = 128;
/// What is told around an event: it is taken from what is known at the time of sending, and may have changed since.
const AROUND: [&str; 5] = ["booking_details", "client_info", "provider_info", "missing_context", "outcome_url"];

/// A body that may have been sent. Whether it was, the signature says.
pub struct Sent {
    /// The body.
    pub body: String,
    /// Whether what is told around the event was taken from the body that came, and not from what is known now.
    pub as_came: bool,
}

/// The bodies with which a delivery may have been sent: in each form that an endpoint can choose, with what is known around
/// the event now, and with what the body that came says there. None where the event is forgotten.
pub async fn sent(deps: &Deps, keyring: &Keyring, delivery: &Delivery, came: &[u8]) -> Result<Vec<Sent>> {
    let Some(event) = deps.table.find(key::event(delivery.tenant, delivery.event)).await? else {
        return Ok(Vec::new());
    };
    let known = booking::context(&deps.table, &event).await;
    let outcome_url = outcome::link(keyring, &deps.public_url, delivery)?;
    let told = told(came).filter(|told| *told != known);
    let mut all: Vec<Sent> = Vec::new();
    for (known, as_came) in [(Some(known), false), (told, true)] {
        let Some(known) = known else { continue };
        for form in [Form::Document, Form::Standard] {
            all.push(Sent { body: event.body(form, &deps.stage, &known, outcome_url.as_deref())?, as_came });
        }
    }
    Ok(all)
}

/// What the body that came tells around its event, written as we write it.
fn told(came: &[u8]) -> Option<Context> {
    let whole = columns(std::str::from_utf8(came.strip_prefix(MARK).unwrap_or(came)).ok()?)?;
    let inner = whole.get("data").filter(|_| !whole.contains_key("event_id")).and_then(|data| columns(data.get()));
    let payload = inner.unwrap_or(whole);
    let of = |name: &str| payload.get(name).filter(|it| it.get().starts_with('{')).map(|it| canonical(it.get()));
    Some(Context {
        booking_details: of("booking_details"),
        client_info: of("client_info"),
        provider_info: of("provider_info"),
    })
}

/// Where a body differs from the one that was sent, and how.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// JSON pointer.
    pub pointer: String,
    /// How.
    pub kind: Kind,
}

/// How a value differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is not there.
    Missing,
    /// It was not there.
    Added,
    /// It is another.
    Other,
    /// It is the number that is left of it when its digits do not fit into a floating-point number.
    Digits,
}

impl Difference {
    /// Whether it lies in what may have changed at our side since.
    pub fn is_around(&self) -> bool {
        let within = self.pointer.strip_prefix("/data").unwrap_or(&self.pointer);
        within.split('/').nth(1).is_some_and(|name| AROUND.contains(&name))
    }
}

/// Where two bodies differ in what they say, not in how; 200 differences at most. What is no JSON differs as a whole.
pub fn differences(sent: &str, came: &[u8]) -> Vec<Difference> {
    let mut found = Found { at: String::new(), all: Vec::new() };
    let came = came.strip_prefix(MARK).unwrap_or(came);
    let came = std::str::from_utf8(came).ok().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    match (serde_json::from_str::<&RawValue>(sent), came) {
        (Ok(sent), Some(came)) => found.compare(sent.get(), came.get(), 0),
        _ => found.note(Kind::Other),
    }
    found.all
}

struct Found {
    at: String,
    all: Vec<Difference>,
}

impl Found {
    fn note(&mut self, kind: Kind) {
        let mut pointer = self.at[..self.at.floor_char_boundary(LONGEST)].to_owned();
        if pointer.len() < self.at.len() {
            pointer.push('…');
        }
        self.all.push(Difference { pointer, kind });
    }

    fn compare(&mut self, sent: &str, came: &str, depth: u32) {
        if sent == came || self.all.len() >= LOOKED_FOR {
            return;
        }
        let kind = |text: &str| text.bytes().next().unwrap_or_default();
        match (kind(sent), kind(came)) {
            (b'{' | b'[', b'{' | b'[') if depth >= DEEPEST => self.unless(canonical(sent) == canonical(came)),
            (b'{', b'{') => match (columns(sent), columns(came)) {
                (Some(sent), Some(came)) => self.fields(&sent, &came, depth),
                _ => self.note(Kind::Other),
            },
            (b'[', b'[') => match (elements(sent), elements(came)) {
                (Some(sent), Some(came)) if sent.len() == came.len() => {
                    for (nth, (sent, came)) in sent.into_iter().zip(came).enumerate() {
                        self.within(&nth.to_string(), |found| found.compare(sent.get(), came.get(), depth + 1));
                    }
                }
                _ => self.note(Kind::Other),
            },
            (b'"', b'"') => self.unless(text(sent).is_some_and(|sent| text(came) == Some(sent))),
            (b'-' | b'0'..=b'9', b'-' | b'0'..=b'9') => match (decimal(sent), decimal(came)) {
                (Some(sent), Some(came)) if sent == came => {}
                _ if is_rounded(sent, came) => self.note(Kind::Digits),
                _ => self.note(Kind::Other),
            },
            _ => self.note(Kind::Other),
        }
    }

    fn fields(&mut self, sent: &Columns<'_>, came: &Columns<'_>, depth: u32) {
        for (name, sent) in sent {
            self.within(name, |found| match came.get(name) {
                Some(came) => found.compare(sent.get(), came.get(), depth + 1),
                None => found.note(Kind::Missing),
            });
        }
        for name in came.keys().filter(|name| !sent.contains_key(*name)) {
            if self.all.len() < LOOKED_FOR {
                self.within(name, |found| found.note(Kind::Added));
            }
        }
    }

    fn within(&mut self, name: &str, look: impl FnOnce(&mut Self)) {
        let begun = self.at.len();
        self.at.push('/');
        self.at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        look(self);
        self.at.truncate(begun);
    }

    fn unless(&mut self, same: bool) {
        if !same {
            self.note(Kind::Other);
        }
    }
}

fn elements(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

fn text(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// A number of JSON by its value, exactly: its sign, its digits without zeros at either end, and the power of ten behind
/// them. Nothing where the power is beyond all reason.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (number, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let power: i64 = power.parse::<i32>().ok()?.into();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let significant = digits.trim_start_matches('0');
    let short = significant.trim_end_matches('0');
    if short.is_empty() {
        return Some((false, String::new(), 0));
    }
    let power = power - i64::try_from(fraction.len()).ok()? + i64::try_from(significant.len() - short.len()).ok()?;
    Some((text.starts_with('-'), short.to_owned(), power))
}

fn is_rounded(sent: &str, came: &str) -> bool {
    let read = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    read(sent).is_some_and(|sent| read(came).is_some_and(|came| sent.to_bits() == came.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sent: &str, came: &str) -> Vec<(String, Kind)> {
        differences(sent, came.as_bytes()).into_iter().map(|found| (found.pointer, found.kind)).collect()
    }

    #[test]
    fn the_same_said_otherwise_is_no_difference() {
        for (sent, came) in [
            (r#"{"a":1,"b":[1,2]}"#, "{ \"b\": [1, 2],\r\n \"a\": 1 }\n"),
            (r#"{"a":"é/"}"#, "\u{feff}{\"a\":\"\\u00e9\\/\"}"),
            (r#"{"a":1.10}"#, r#"{"a":1.1}"#),
            (r#"[100,0.001,-0,120.50,1E2]"#, r#"[1e2,1e-3,0.0,1205e-1,100]"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        ] {
            assert_eq!(told(sent, came), [], "{sent} {came}");
        }
    }

    #[test]
    fn a_difference_is_told_where_it_is_and_how() {
        use Kind::{Added, Digits, Missing, Other};
        let sent = r#"{"a":{"x/y":1,"z~":[1,{"q":2}]},"b":true,"c":[1],"n":12345678901234567890.1,"s":"1"}"#;
        let came = r#"{"a":{"x/y":2,"z~":[1,{"q":3}]},"c":[1,2],"d":0,"n":12345678901234567000,"s":1}"#;
        let expected = [
            ("/a/x~1y", Other),
            ("/a/z~0/1/q", Other),
            ("/b", Missing),
            ("/c", Other),
            ("/n", Digits),
            ("/s", Other),
            ("/d", Added),
        ];
        assert_eq!(told(sent, came), expected.map(|(at, kind)| (at.to_owned(), kind)));
        assert_eq!(told(sent, "a=1"), [(String::new(), Other)]);
        assert_eq!(told("null", "{}"), [(String::new(), Other)]);
        assert_eq!(told("[1e99999999999]", "[2e99999999999]"), [("/0".to_owned(), Other)]);
        assert_eq!(told("{\"a\":\"\\ud800\"}", "{\"a\":\"\\udfff\"}"), [("/a".to_owned(), Other)]);
        assert_eq!(differences("{}", b"\xff")[0].kind, Other);
    }

    #[test]
    fn not_without_end() {
        let many = |value: u32| {
            let fields: Vec<String> = (0..500).map(|n| format!("\"{n}\":{value}")).collect();
            format!("{{{}}}", fields.join(","))
        };
        assert_eq!(told(&many(1), &many(2)).len(), LOOKED_FOR);
        assert_eq!(told("{}", &many(2)).len(), LOOKED_FOR);
        let long = told("{}", &format!("{{\"{}\":1}}", "é/".repeat(10_000)));
        assert!(long[0].0.starts_with("/é~1é~1") && long[0].0.ends_with('…') && long[0].0.len() <= LONGEST + 3);
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!(told(&deep("1"), &deep("2")).len(), 1);
        assert!(told(&deep("1"), &deep("1 ")).len() <= 1);
    }

    #[test]
    fn what_may_have_changed_since_is_told_apart() {
        let around = |pointer: &str| Difference { pointer: pointer.into(), kind: Kind::Other }.is_around();
        assert!(around("/client_info/name") && around("/data/client_info") && around("/outcome_url"));
        assert!(!around("/booking_event/client_info") && !around("/data") && !around(""));
    }
}
