//! The forms in which runs come: a scenario with its executions, or Make.com's own records.

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};
use shared::{
    Error, Fault, Result,
    http::{Call, Fields},
    usage::OperationType,
};

use crate::{
    clients::Named,
    given::{self, object},
};

/// The largest body: room for as many runs as may come at once.
const LIMIT: usize = 1024 * 1024;
/// So many runs at once.
const MOST: usize = 1_000;
/// The fields of a single record that speak of its scenario.
const OF_SCENARIO: [&str; 3] = ["client_id", "client_slug", "operation_type"];

/// A body whose runs are not yet read.
pub struct Body<'c> {
    /// Of which scenario, where all runs are of one.
    pub scenario: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// For which client.
    pub client: Named,
    /// What for.
    pub operation_type: Option<OperationType>,
    /// Each run with its JSON pointer.
    pub executions: Vec<(String, &'c RawValue)>,
    /// Whether they are Make.com's own records, which may get fields that we do not know.
    pub of_make: bool,
    /// What is wrong so far.
    pub faults: Vec<Fault>,
}

type Members<'c> = BTreeMap<String, &'c RawValue>;

impl<'c> Body<'c> {
    /// Reads all but the runs. An error where there is no telling what they are.
    pub fn of(call: &'c Call) -> Result<Self> {
        // Whatever is not JSON at all ends here.
        let value = call.value(LIMIT)?;
        let raw: &RawValue = serde_json::from_slice(call.body()).map_err(|_| unknown())?;
        match value {
            Value::Array(_) => Self::with(Members::new(), list(raw, "")?, true),
            Value::Object(_) => Self::of_object(raw),
            _ => Err(unknown()),
        }
    }

    fn of_object(raw: &'c RawValue) -> Result<Self> {
        let mut members: Members<'c> = serde_json::from_str(raw.get()).map_err(|_| unknown())?;
        match (members.remove("executions"), members.remove("scenarioLogs")) {
            (Some(_), Some(_)) => {
                Err(Error::invalid("/scenarioLogs", "stands in place of executions: give one of the two"))
            }
            (Some(runs), None) => Self::with(members, list(runs, "/executions")?, false),
            (None, Some(runs)) => {
                // Where the page ends that Make.com was asked for.
                members.remove("pg");
                Self::with(members, list(runs, "/scenarioLogs")?, true)
            }
            (None, None) if members.contains_key("imtId") || members.contains_key("status") => {
                members.retain(|name, _| OF_SCENARIO.contains(&name.as_str()));
                Self::with(members, vec![(String::new(), raw)], true)
            }
            (None, None) => Err(Error::invalid("/executions", "is missing")),
        }
    }

    fn with(members: Members<'c>, executions: Vec<(String, &'c RawValue)>, of_make: bool) -> Result<Self> {
        if executions.len() > MOST {
            let at = executions.first().and_then(|(at, _)| at.rsplit_once('/')).map_or("", |(list, _)| list);
            return Err(Error::invalid(at, "has more than 1,000 runs"));
        }
        let values = members.into_iter().map(|(name, raw)| (name, serde_json::from_str(raw.get()).unwrap_or_default()));
        let mut rest = Fields::new(values.collect(), "");
        let needs_scenario = !of_make && executions.iter().all(|(_, raw)| !tells_its_scenario(raw));
        let scenario = given::id(&mut rest, "scenario_id");
        if scenario.is_none() && needs_scenario && rest.is_faultless() {
            rest.fault("scenario_id", "is missing");
        }
        let name = given::text(&mut rest, "scenario_name", 200);
        let client = Named { id: rest.optional("client_id"), slug: rest.optional("client_slug") };
        let operation_type = rest.optional("operation_type");
        if operation_type.is_some() && !client.is_given() {
            rest.fault("operation_type", "says what a client's scenario is for: give client_id or client_slug with it");
        }
        let (_, faults) = rest.finish(|| Some(()));
        Ok(Self { scenario, name, client, operation_type, executions, of_make, faults })
    }
}

fn list<'c>(raw: &'c RawValue, at: &str) -> Result<Vec<(String, &'c RawValue)>> {
    let runs: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| Error::invalid(at, "must be a list of up to 1,000 runs"))?;
    Ok(runs.into_iter().enumerate().map(|(n, raw)| (format!("{at}/{n}"), raw)).collect())
}

fn tells_its_scenario(raw: &RawValue) -> bool {
    object(raw, &[]).is_some_and(|run| run.contains_key("imtId") || run.contains_key("scenario_id"))
}

fn unknown() -> Error {
    Error::invalid("", "must be an object with executions, or Make.com's own records of runs")
}
