//! A column's values as Postgres takes, compares and prints them.

use std::cmp::Ordering;

use jiff::{Timestamp, Unit, civil, tz::TimeZone};
use serde_json::{Number, Value};
use uuid::Uuid;

/// The types that a column can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Uuid,
    Bigint,
    Numeric,
    Boolean,
    Timestamptz,
    Jsonb,
}

/// A value that cannot be one of its column's type: `22007` for times, `22P02` for the rest.
#[derive(Debug, PartialEq)]
pub(super) struct BadValue {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// A value to compare by. Values of one column have one form.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
    Time(Timestamp),
}

impl Kind {
    pub(super) fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "text" => Kind::Text,
            "uuid" => Kind::Uuid,
            "bigint" => Kind::Bigint,
            "numeric" => Kind::Numeric,
            "boolean" => Kind::Boolean,
            "timestamptz" => Kind::Timestamptz,
            "jsonb" => Kind::Jsonb,
            _ => {
                return Err(format!("`{name}` is none of text, uuid, bigint, numeric, boolean, timestamptz and jsonb"));
            }
        })
    }

    /// What a column holds whose first value is this; nothing is known from a null.
    pub(super) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(number) if number.is_i64() => Kind::Bigint,
            Value::Number(_) => Kind::Numeric,
            Value::String(text) if text.len() > 10 && text.parse::<Timestamp>().is_ok() => Kind::Timestamptz,
            Value::String(text) if text.len() == 36 && Uuid::parse_str(text).is_ok() => Kind::Uuid,
            Value::String(_) => Kind::Text,
            Value::Array(_) | Value::Object(_) => Kind::Jsonb,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Uuid => "uuid",
            Kind::Bigint => "bigint",
            Kind::Numeric => "numeric",
            Kind::Boolean => "boolean",
            Kind::Timestamptz => "timestamp with time zone",
            Kind::Jsonb => "jsonb",
        }
    }

    fn refuse(self, shown: &str) -> BadValue {
        let code = if self == Kind::Timestamptz { "22007" } else { "22P02" };
        BadValue { code, message: format!("invalid input syntax for type {}: \"{shown}\"", self.name()) }
    }

    /// The value as the column keeps it. A numeric given as a string keeps its digits.
    pub(super) fn store(self, value: Value) -> Result<Value, BadValue> {
        let stored = match (self, value) {
            (_, Value::Null) => Value::Null,
            (Kind::Jsonb, value) => value,
            (Kind::Text, Value::String(text)) => text.into(),
            (Kind::Text, Value::Number(number)) => number.to_string().into(),
            (Kind::Boolean, Value::Bool(is)) => is.into(),
            (Kind::Bigint, Value::Number(number)) if number.is_i64() => number.into(),
            (Kind::Numeric, Value::Number(number)) => number.into(),
            (Kind::Numeric, Value::String(text)) if text.parse::<Number>().is_ok() => text.into(),
            (Kind::Bigint, Value::String(text)) => match self.key(&text)? {
                Key::Integer(number) => number.into(),
                _ => return Err(self.refuse(&text)),
            },
            (Kind::Uuid, Value::String(text)) => match self.key(&text)? {
                Key::Text(uuid) => uuid.into(),
                _ => return Err(self.refuse(&text)),
            },
            (Kind::Timestamptz, Value::String(text)) => match self.key(&text)? {
                Key::Time(time) => printed(time).into(),
                _ => return Err(self.refuse(&text)),
            },
            (_, value) => return Err(self.refuse(&value.to_string())),
        };
        Ok(stored)
    }

    /// Reads a filter's value.
    pub(super) fn key(self, text: &str) -> Result<Key, BadValue> {
        let refuse = || self.refuse(text);
        Ok(match self {
            Kind::Text | Kind::Jsonb => Key::Text(text.into()),
            Kind::Uuid => Key::Text(Uuid::parse_str(text).map_err(|_| refuse())?.to_string()),
            Kind::Bigint => Key::Integer(text.trim().parse().map_err(|_| refuse())?),
            Kind::Numeric => Key::Number(text.trim().parse().map_err(|_| refuse())?),
            Kind::Boolean => Key::Boolean(text.trim().parse().map_err(|_| refuse())?),
            Kind::Timestamptz => Key::Time(time(text).ok_or_else(refuse)?),
        })
    }

    /// What a stored value is compared by; nothing for a null.
    pub(super) fn key_of(self, stored: &Value) -> Option<Key> {
        match stored {
            Value::Null => None,
            Value::String(text) => self.key(text).ok(),
            other => self.key(&jsonb_text(other)).ok(),
        }
    }

    /// The stored value as JSON, in the form of `jsonb`.
    pub(super) fn print(self, stored: &Value, out: &mut String) {
        match (self, stored) {
            (Kind::Numeric, Value::String(digits)) => out.push_str(digits),
            _ => jsonb(stored, out),
        }
    }
}

impl Key {
    pub(super) fn order(&self, other: &Key) -> Ordering {
        match (self, other) {
            (Key::Text(a), Key::Text(b)) => a.cmp(b),
            (Key::Integer(a), Key::Integer(b)) => a.cmp(b),
            (Key::Number(a), Key::Number(b)) => a.total_cmp(b),
            (Key::Boolean(a), Key::Boolean(b)) => a.cmp(b),
            (Key::Time(a), Key::Time(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}

/// A time in one of the forms that Postgres reads; without an offset it is UTC, which is the session's.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let utc = |local: civil::DateTime| local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<civil::DateTime>().ok().and_then(utc))?
        .round(Unit::Microsecond)
        .ok()
}

/// A time as Postgres's JSON shows it: at most six digits, and none that end the fraction with a zero.
pub(super) fn printed(time: Timestamp) -> String {
    let time = time.round(Unit::Microsecond).unwrap_or(time);
    time.strftime("%Y-%m-%dT%H:%M:%S%.f+00:00").to_string()
}

/// A value in the text form of `jsonb`: shorter keys first, a space after each colon and comma.
pub(super) fn jsonb(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| (name.len(), name.as_bytes()));
            out.push('{');
            for (at, (name, value)) in sorted.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push_str(": ");
                jsonb(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                jsonb(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn jsonb_text(value: &Value) -> String {
    let mut out = String::new();
    jsonb(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_printed_with_the_digits_they_need() {
        for (given, shown) in [
            ("2026-12-01T09:30:00.123456Z", "2026-12-01T09:30:00.123456+00:00"),
            ("2026-12-01T10:30:00.100+01:00", "2026-12-01T09:30:00.1+00:00"),
            ("2026-12-01T09:30:00Z", "2026-12-01T09:30:00+00:00"),
            ("2026-12-01T09:30:00.1234567Z", "2026-12-01T09:30:00.123457+00:00"),
            ("2026-12-01 09:30:00", "2026-12-01T09:30:00+00:00"),
        ] {
            assert_eq!(Kind::Timestamptz.store(given.into()), Ok(shown.into()));
        }
    }

    #[test]
    fn a_plus_that_became_a_space_is_no_time() {
        let refused = Kind::Timestamptz.key("2026-12-01T09:30:00.123456 00:00").unwrap_err();

        assert_eq!(refused.code, "22007");
        assert_eq!(
            refused.message,
            "invalid input syntax for type timestamp with time zone: \"2026-12-01T09:30:00.123456 00:00\""
        );
    }

    #[test]
    fn a_numeric_keeps_its_digits_and_is_compared_as_a_number() {
        let mut out = String::new();
        let stored = Kind::Numeric.store("120.50".into()).unwrap();
        Kind::Numeric.print(&stored, &mut out);

        assert_eq!(out, "120.50");
        assert_eq!(Kind::Numeric.key_of(&stored), Kind::Numeric.key("120.5").ok());
    }

    #[test]
    fn jsonb_has_shorter_keys_first_and_spaces() {
        let mut out = String::new();
        jsonb(&json!({ "schema": "public", "type": "INSERT", "a": [1, { "bb": null, "c": "x\"" }] }), &mut out);

        assert_eq!(out, r#"{"a": [1, {"c": "x\"", "bb": null}], "type": "INSERT", "schema": "public"}"#);
    }
}
