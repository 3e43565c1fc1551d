//! One run of a body, in the words of the source document or of Make.com.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, value::RawValue};
use shared::{
    Fault,
    http::Fields,
    run::{KEEP, RunStatus},
    trace::TraceId,
    usage::Usd,
};

use super::body::Body;
use crate::given::{self, object, scaled, usd};

/// So far ahead a clock may be.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// What is about to be forgotten is not taken any more.
const BACK: SignedDuration = KEEP.saturating_sub(SignedDuration::from_hours(1));
/// No run moves more bytes, or takes more milliseconds, credits or operations than this.
const MOST: u64 = 1_000_000_000_000;

/// What is read of a run.
const FIELDS: [&str; 16] = [
    "status",
    "operations_consumed",
    "operations",
    "cost_usd",
    "timestamp",
    "id",
    "execution_id",
    "run_id",
    "imtId",
    "credits",
    "centicredits",
    "duration",
    "transfer",
    "trace_id",
    "scenario_id",
    "scenario_name",
];
/// What Make.com's own records say besides, of which nothing is counted.
const PASSED_OVER: [&str; 5] = ["type", "instant", "authorId", "organizationId", "teamId"];

/// A run that has ended.
pub struct Execution {
    /// Of which scenario.
    pub scenario: String,
    /// Make.com's id of it, where it came with one.
    pub id: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended.
    pub status: RunStatus,
    /// How many operations.
    pub operations: u64,
    /// Hundredths of a credit, where they were told.
    pub centicredits: Option<u64>,
    /// Bytes.
    pub transfer: u64,
    /// How long it took, where that was told.
    pub duration_ms: Option<u64>,
    /// What it cost, where that was told.
    pub cost: Option<Usd>,
    /// What ties it to an event of ours.
    pub trace: Option<TraceId>,
}

/// A run as far as it could be read.
#[derive(Default)]
pub struct Read {
    /// Of which scenario, and what it is called.
    pub scenario: Option<(String, Option<String>)>,
    /// The run, if it has ended and is good.
    pub execution: Option<Execution>,
    /// It has not ended yet.
    pub is_pending: bool,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// How a run stands, as somebody says.
enum Said {
    Pending,
    Ended(RunStatus),
}

/// Reads a run that was found at a JSON pointer.
pub fn read(raw: &RawValue, at: &str, body: &Body<'_>, now: Timestamp) -> Read {
    let Some(mut members) = object(raw, &["cost_usd", "credits"]) else {
        return Read { faults: vec![Fault::at(at, "must be an object")], ..Read::default() };
    };
    let passed_over = |name: &str| PASSED_OVER.contains(&name) || (body.of_make && !FIELDS.contains(&name));
    members.retain(|name, _| !passed_over(name));
    let mut run = Fields::new(members, at);
    let imt = run.optional::<String>("imtId").unwrap_or_default();
    let (scenario, name) = (scenario(&mut run, &imt, body), given::text(&mut run, "scenario_name", 200));
    let status = status(&mut run);
    if matches!(status, Some(Said::Pending)) {
        let scenario = scenario.map(|id| (id, name.or_else(|| body.name.clone())));
        return Read { scenario, is_pending: true, ..Read::default() };
    }
    let id = id(&mut run, &imt);
    let operations = operations(&mut run);
    let cost = cost(&mut run);
    let started_at = timestamp(&mut run, now);
    let centicredits = credits(&mut run);
    let duration_ms = count(&mut run, "duration").ok().flatten();
    let transfer = count(&mut run, "transfer").ok().flatten();
    let trace = run.parsed("trace_id");
    let told = scenario.clone().map(|id| (id, name.or_else(|| body.name.clone())));
    let (execution, faults) = run.finish(|| {
        let Some(Said::Ended(status)) = status else { return None };
        Some(Execution {
            scenario: scenario?,
            id,
            started_at: started_at?,
            status,
            operations: operations?,
            centicredits,
            transfer: transfer.unwrap_or_default(),
            duration_ms,
            cost,
            trace,
        })
    });
    Read { scenario: told, execution, is_pending: false, faults }
}

/// Of which scenario it is: as it says itself, or as the body says of all.
fn scenario(run: &mut Fields, imt: &str, body: &Body<'_>) -> Option<String> {
    let said = given::id(run, "scenario_id");
    let of_imt = parts(imt).map(|(scenario, _)| scenario.to_owned());
    let own = match (said, of_imt) {
        (Some(said), Some(of_imt)) if said != of_imt => {
            run.fault("imtId", "is of another scenario than scenario_id");
            return None;
        }
        (said, of_imt) => said.or(of_imt),
    };
    match (own, &body.scenario) {
        (Some(own), Some(all)) if own != *all => {
            run.fault("scenario_id", "is another scenario than that of the body");
            None
        }
        (Some(own), _) => Some(own),
        (None, Some(all)) => Some(all.clone()),
        (None, None) => {
            // Without one at all it was told once, of the whole body.
            if run.is_faultless() && body.faults.iter().all(|fault| fault.pointer != "/scenario_id") {
                run.fault("scenario_id", "is missing: imtId does not tell the scenario");
            }
            None
        }
    }
}

/// The scenario and the run of `{ms}_scenario.{scenario}.{type}.{run}` (Make.com's SDK, executions).
pub fn parts(imt: &str) -> Option<(&str, &str)> {
    let (_, rest) = imt.split_once('_')?;
    let mut parts = rest.strip_prefix("scenario.")?.split('.');
    let (scenario, _kind, run) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |part: &str| (1..=128).contains(&part.len()) && !part.contains(char::is_control);
    (is_id(scenario) && is_id(run) && parts.next().is_none()).then_some((scenario, run))
}

fn id(run: &mut Fields, imt: &str) -> Option<String> {
    let mut id: Option<String> = None;
    for name in ["id", "execution_id", "run_id"] {
        match (given::id(run, name), &id) {
            (Some(other), Some(known)) if other != *known => run.fault(name, "is another id of the same run"),
            (Some(first), None) => id = Some(first),
            _ => {}
        }
    }
    id.or_else(|| parts(imt).map(|(_, run)| run.to_owned()))
}

fn status(run: &mut Fields) -> Option<Said> {
    let given: Value = run.required("status")?;
    let word = given.as_str().map_or_else(|| given.to_string(), |word| word.trim().to_lowercase());
    let said = match word.as_str() {
        "0" | "pending" | "running" | "queued" | "in_progress" => Said::Pending,
        "1" | "success" | "succeeded" | "successful" | "completed" | "finished" | "ok" => {
            Said::Ended(RunStatus::Success)
        }
        "2" | "warning" | "warn" | "success_with_warnings" | "success with warnings" => Said::Ended(RunStatus::Warning),
        "3" | "error" | "errored" | "failed" | "failure" | "fail" => Said::Ended(RunStatus::Error),
        _ => {
            run.fault("status", "must be success, warning or error, or 1, 2 or 3");
            return None;
        }
    };
    Some(said)
}

/// A field of a run, where it is there; or a fault was noted.
type Given<T> = Result<Option<T>, Told>;

/// A fault was noted.
struct Told;

/// One of two names for the same; a fault where both are given.
fn either<T>(run: &mut Fields, [name, other]: [&str; 2], read: impl Fn(&mut Fields, &str) -> Given<T>) -> Given<T> {
    match (read(run, name)?, read(run, other)?) {
        (Some(_), Some(_)) => {
            run.fault(other, format!("stands in place of {name}: give one of the two"));
            Err(Told)
        }
        (one, another) => Ok(one.or(another)),
    }
}

fn operations(run: &mut Fields) -> Option<u64> {
    let given = either(run, ["operations_consumed", "operations"], count);
    if let Ok(None) = given {
        run.fault("operations_consumed", "is missing");
    }
    given.ok().flatten()
}

/// Hundredths of a credit.
fn credits(run: &mut Fields) -> Option<u64> {
    let read = |run: &mut Fields, name: &str| if name == "credits" { hundredths(run, name) } else { count(run, name) };
    either(run, ["credits", "centicredits"], read).ok().flatten()
}

fn hundredths(run: &mut Fields, name: &str) -> Given<u64> {
    let Some(given) = run.optional::<Value>(name) else { return Ok(None) };
    match given.as_str().and_then(|text| scaled(text, 2)).filter(|n| *n <= MOST) {
        Some(n) => Ok(Some(n)),
        None => {
            run.fault(name, "must be a number of credits with up to 2 decimals");
            Err(Told)
        }
    }
}

fn cost(run: &mut Fields) -> Option<Usd> {
    let given: Value = run.optional("cost_usd")?;
    let cost = given.as_str().and_then(usd);
    if cost.is_none() {
        run.fault("cost_usd", "must be US dollars from 0 to 999999.9999 with up to 4 decimals");
    }
    cost
}

fn timestamp(run: &mut Fields, now: Timestamp) -> Option<Timestamp> {
    let text: String = run.required("timestamp")?;
    let Ok(at) = text.parse::<Timestamp>() else {
        run.fault("timestamp", "must be a moment in RFC 3339, as 2026-11-20T10:30:00Z");
        return None;
    };
    if at > now + AHEAD {
        run.fault("timestamp", "lies in the future");
        return None;
    }
    if at < now - BACK {
        run.fault("timestamp", "lies more than 400 days back");
        return None;
    }
    Some(at)
}

fn count(run: &mut Fields, name: &str) -> Given<u64> {
    let Some(given) = run.optional::<Value>(name) else { return Ok(None) };
    match given.as_u64().filter(|number| *number <= MOST) {
        Some(number) => Ok(Some(number)),
        None => {
            run.fault(name, "must be a whole number from 0 to 1,000,000,000,000");
            Err(Told)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn make_coms_key_of_a_run_tells_scenario_and_run() {
        assert_eq!(parts("1795230184497_scenario.418339.auto.da518adcd14b4b64"), Some(("418339", "da518adcd14b4b64")));
        for other in
            ["", "1795230184497", "1795230184497_dlq.77.auto.da51", "1_scenario.418339.auto", "1_scenario..a.b"]
        {
            assert_eq!(parts(other), None, "{other}");
        }
    }
}
