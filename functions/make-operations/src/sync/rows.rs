//! The rows of a body, read one by one: a row that is wrong does not hide what is wrong with the next.

use std::{collections::HashMap, ops::RangeInclusive};

use jiff::{Timestamp, civil::Date};
use serde_json::{Value, value::RawValue};
use shared::{
    Error, Fault, Result,
    http::{Call, Fields},
    id::TenantId,
    usage::{OperationType, ScenarioStatus, Usage, Usd},
};

use crate::{
    clients::Named,
    day,
    given::{id, object, text, trimmed, usd, whole},
};

/// The largest body: room for as many rows as may come at once.
const LIMIT: usize = 1024 * 1024;
/// So many rows at once.
const MOST: usize = 1_000;

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
pub fn read(raw: &RawValue, n: usize, tenant: TenantId, days: &RangeInclusive<Date>, now: Timestamp) -> Read {
    let at = format!("/operations/{n}");
    let Some(object) = object(raw, &["cost_usd"]) else {
        return Read { client: Named::default(), usage: None, faults: vec![Fault::at(at, "must be an object")] };
    };
    let mut row = Fields::new(object, at);
    let client = Named { id: row.optional("client_id"), slug: row.optional("client_slug") };
    let call = text(&mut row, "call_id", 128);
    let scenario_id = id(&mut row, "scenario_id");
    let scenario_name = name(&mut row);
    let operation_type = row.or("operation_type", OperationType::General);
    let date = date(&mut row, days);
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

fn name(row: &mut Fields) -> Option<String> {
    let given: String = row.required("scenario_name")?;
    trimmed(row, "scenario_name", &given, 200)
}

fn date(row: &mut Fields, days: &RangeInclusive<Date>) -> Option<Date> {
    let given: String = row.required("date")?;
    match day::read(&given) {
        Some(date) if days.contains(&date) => Some(date),
        Some(date) if date < *days.start() => {
            row.fault("date", format!("lies too far back: the earliest is {}", days.start()));
            None
        }
        Some(_) => {
            row.fault("date", format!("lies in the future: the latest is {}", days.end()));
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

fn cost(row: &mut Fields) -> Option<Usd> {
    let given: Value = row.or("cost_usd", "0".into())?;
    let cost = given.as_str().and_then(usd);
    if cost.is_none() {
        row.fault("cost_usd", "must be US dollars from 0 to 999999.9999 with up to 4 decimals");
    }
    cost
}
