//! The rows of a body, read one by one: a row that is wrong does not hide what is wrong with the next.

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde_json::{Value, value::RawValue};
use shared::{
    Error, Fault, Result,
    http::{Call, Fields},
    id::TenantId,
    usage::{OperationType, ScenarioStatus, Usage, Usd},
};

use super::clients::Named;
use crate::day;

/// The largest body: room for as many rows as may come at once.
const LIMIT: usize = 1024 * 1024;
/// So many rows at once.
const MOST: usize = 1_000;
/// No scenario does more than this in a day.
const MOST_OPERATIONS: u64 = 1_000_000_000;
/// What fits into the source document's `decimal(10,4)`, in ten-thousandths.
const MOST_COST: u64 = 9_999_999_999;

/// A row as far as it could be read.
pub struct Read {
    /// For whom, not yet looked up.
    pub client: Named,
    /// The row without its client, if the rest of it is good.
    pub usage: Option<Usage>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// The rows of the body, not yet read.
pub fn of_body(call: &Call) -> Result<Vec<&RawValue>> {
    // Whatever is not JSON at all ends here.
    call.value(LIMIT)?;
    let mut body: HashMap<String, &RawValue> =
        serde_json::from_slice(call.body()).map_err(|_| Error::invalid("", "the body is not a JSON object"))?;
    let rows = body.remove("operations");
    let unknown = body.into_keys().map(|name| (name, Value::Null)).collect();
    let mut rest = Fields::new(unknown, "");
    let rows: Option<Vec<&RawValue>> = rows.and_then(|rows| serde_json::from_str(rows.get()).ok());
    if !rows.as_ref().is_some_and(|rows| (1..=MOST).contains(&rows.len())) {
        rest.fault("operations", "must be a list of 1 to 1,000 rows");
    }
    rest.build(|| rows)
}

/// Reads the `n`th row.
pub fn read(raw: &RawValue, n: usize, tenant: TenantId, latest: Date, now: Timestamp) -> Read {
    let at = format!("/operations/{n}");
    let Some(object) = object(raw) else {
        return Read { client: Named::default(), usage: None, faults: vec![Fault::at(at, "must be an object")] };
    };
    let mut row = Fields::new(object, at);
    let client = Named { id: row.optional("client_id"), slug: row.optional("client_slug") };
    let call = text(&mut row, "call_id", 128);
    let scenario_id = id(&mut row, "scenario_id");
    let scenario_name = name(&mut row);
    let operation_type = row.or("operation_type", OperationType::General);
    let date = date(&mut row, latest);
    let operations = count(&mut row, "operations_count");
    let limit = limit(&mut row);
    let cost = cost(&mut row);
    let succeeded = count(&mut row, "success_count");
    let failed = count(&mut row, "error_count");
    let status = row.or("status", ScenarioStatus::Active);
    let description = text(&mut row, "description", 500);
    if let (Some(operations), Some(succeeded), Some(failed)) = (operations, succeeded, failed)
        && succeeded + failed > operations
    {
        row.fault("success_count", "is with error_count more than operations_count");
    }
    let (usage, faults) = row.finish(|| {
        Some(Usage {
            tenant,
            client: None,
            date: date?,
            scenario_name: scenario_name?,
            scenario_id,
            operation_type: operation_type?,
            call,
            operations: operations?,
            limit,
            cost: cost?,
            succeeded: succeeded?,
            failed: failed?,
            status: status?,
            description,
            synced_at: now,
        })
    });
    Read { client, usage, faults }
}

/// The members of a row. The cost stays the text that was written: a float would change it.
fn object(raw: &RawValue) -> Option<serde_json::Map<String, Value>> {
    let members: HashMap<String, &RawValue> = serde_json::from_str(raw.get()).ok()?;
    let number = |text: &str| text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let read = |(name, raw): (String, &RawValue)| {
        let value = match raw.get() {
            text if name == "cost_usd" && number(text) => Value::String(text.into()),
            text => serde_json::from_str(text).ok()?,
        };
        Some((name, value))
    };
    members.into_iter().map(read).collect()
}

fn name(row: &mut Fields) -> Option<String> {
    let given: String = row.required("scenario_name")?;
    trimmed(row, "scenario_name", &given, 200)
}

fn text(row: &mut Fields, field: &str, most: usize) -> Option<String> {
    let given: String = row.optional(field)?;
    trimmed(row, field, &given, most)
}

fn trimmed(row: &mut Fields, field: &str, given: &str, most: usize) -> Option<String> {
    let text = given.trim();
    if text.is_empty() || text.chars().count() > most || text.contains(char::is_control) {
        row.fault(field, format!("must have 1 to {most} characters"));
        return None;
    }
    Some(text.into())
}

/// Make.com numbers its scenarios; the source document writes them as text.
fn id(row: &mut Fields, field: &str) -> Option<String> {
    match row.optional::<Value>(field)? {
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        Value::String(given) => trimmed(row, field, &given, 128),
        _ => {
            row.fault(field, "must be a text or a whole number");
            None
        }
    }
}

fn date(row: &mut Fields, latest: Date) -> Option<Date> {
    let given: String = row.required("date")?;
    match day::read(&given) {
        Some(date) if date <= latest => Some(date),
        Some(_) => {
            row.fault("date", format!("lies in the future: the latest is {latest}"));
            None
        }
        None => {
            row.fault("date", "must be a day as YYYY-MM-DD");
            None
        }
    }
}

fn count(row: &mut Fields, field: &str) -> Option<u64> {
    let given: Value = row.or(field, 0.into())?;
    whole(row, field, &given)
}

fn limit(row: &mut Fields) -> Option<u64> {
    let given: Value = row.optional("operations_limit")?;
    whole(row, "operations_limit", &given)
}

fn whole(row: &mut Fields, field: &str, given: &Value) -> Option<u64> {
    let number = given.as_u64().filter(|number| *number <= MOST_OPERATIONS);
    if number.is_none() {
        row.fault(field, "must be a whole number from 0 to 1,000,000,000");
    }
    number
}

fn cost(row: &mut Fields) -> Option<Usd> {
    let given: Value = row.or("cost_usd", "0".into())?;
    let cost = given.as_str().and_then(usd);
    if cost.is_none() {
        row.fault("cost_usd", "must be US dollars from 0 to 999999.9999 with up to 4 decimals");
    }
    cost
}

/// An exact amount, or nothing.
fn usd(text: &str) -> Option<Usd> {
    if !text.bytes().all(|c| c.is_ascii_digit() || b"+-.eE".contains(&c)) {
        return None;
    }
    let amount = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok()?.normalize();
    let up = 10_i128.checked_pow(4_u32.checked_sub(amount.scale())?)?;
    let ten_thousandths = u64::try_from(amount.mantissa().checked_mul(up)?).ok()?;
    (ten_thousandths <= MOST_COST).then_some(Usd::from_ten_thousandths(ten_thousandths))
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
