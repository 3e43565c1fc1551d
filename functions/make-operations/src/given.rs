//! What senders write, read without losing a digit of it.

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde_json::{Value, value::RawValue};
use shared::{http::Fields, usage::Usd};

/// No scenario does more than this in a day.
const MOST_OPERATIONS: u64 = 1_000_000_000;
/// What fits into the source document's `decimal(10,4)`, in ten-thousandths.
const MOST_COST: u64 = 9_999_999_999;

/// The members of an object. Numbers of these names stay the text that was written: a float would change them.
pub fn object(raw: &RawValue, exact: &[&str]) -> Option<serde_json::Map<String, Value>> {
    let members: HashMap<String, &RawValue> = serde_json::from_str(raw.get()).ok()?;
    let number = |text: &str| text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let read = |(name, raw): (String, &RawValue)| {
        let value = match raw.get() {
            text if exact.contains(&name.as_str()) && number(text) => Value::String(text.into()),
            text => serde_json::from_str(text).ok()?,
        };
        Some((name, value))
    };
    members.into_iter().map(read).collect()
}

/// A text that may be missing, of so many characters at most.
pub fn text(row: &mut Fields, field: &str, most: usize) -> Option<String> {
    let given: String = row.optional(field)?;
    trimmed(row, field, &given, most)
}

/// The text without the space around it, or a fault.
pub fn trimmed(row: &mut Fields, field: &str, given: &str, most: usize) -> Option<String> {
    let text = given.trim();
    if text.is_empty() || text.chars().count() > most || text.contains(char::is_control) {
        row.fault(field, format!("must have 1 to {most} characters"));
        return None;
    }
    Some(text.into())
}

/// An id that may be missing. Make.com numbers its scenarios; the source document writes them as text.
pub fn id(row: &mut Fields, field: &str) -> Option<String> {
    match row.optional::<Value>(field)? {
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        Value::String(given) => trimmed(row, field, &given, 128),
        _ => {
            row.fault(field, "must be a text or a whole number");
            None
        }
    }
}

/// A count, or a fault.
pub fn whole(row: &mut Fields, field: &str, given: &Value) -> Option<u64> {
    let number = given.as_u64().filter(|number| *number <= MOST_OPERATIONS);
    if number.is_none() {
        row.fault(field, "must be a whole number from 0 to 1,000,000,000");
    }
    number
}

/// US dollars, exactly, or nothing.
pub fn usd(text: &str) -> Option<Usd> {
    scaled(text, 4).filter(|n| *n <= MOST_COST).map(Usd::from_ten_thousandths)
}

/// A number as so many of its `decimals`th parts of ten, or nothing where it has more decimals, or less than nothing.
pub fn scaled(text: &str, decimals: u32) -> Option<u64> {
    if !text.bytes().all(|c| c.is_ascii_digit() || b"+-.eE".contains(&c)) {
        return None;
    }
    let amount = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok()?.normalize();
    let up = 10_i128.checked_pow(decimals.checked_sub(amount.scale())?)?;
    u64::try_from(amount.mantissa().checked_mul(up)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_exactly_or_not_at_all() {
        for (text, n) in [
            ("7.50", 75_000),
            ("7.5", 75_000),
            ("0", 0),
            ("-0", 0),
            ("0.0001", 1),
            ("7.50000", 75_000),
            ("1e2", 1_000_000),
            ("7.5E-3", 75),
            ("999999.9999", MOST_COST),
        ] {
            assert_eq!(usd(text), Some(Usd::from_ten_thousandths(n)), "{text}");
        }
        for text in [
            "-0.01",
            "0.00001",
            "1000000",
            "",
            "NaN",
            "1_000",
            "7,50",
            "$7",
            "1e30",
            "1e-99999999999",
            "0.1e-28",
            "9".repeat(40).as_str(),
        ] {
            assert_eq!(usd(text), None, "{text}");
        }
    }
}
