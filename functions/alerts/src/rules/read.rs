//! Scopes and thresholds, as they are sent.

use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use shared::{
    Error, Fault, Result,
    alert::{Kind, Scope, Thresholds},
    http::{Call, Fields},
};

/// No rule of money asks for more.
const MOST_MONEY: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

/// The scope that the parameters `client_id` and `scenario_id` name.
pub fn scope(call: &Call, kind: Kind) -> Result<Scope> {
    let mut query = call.parameters();
    let scope = named(&mut query, kind);
    query.build(|| scope)
}

/// The scope that a body names.
pub fn scope_of_body(body: &mut Fields, kind: Option<Kind>) -> Option<Scope> {
    let kind = kind?;
    let given: Map<String, Value> = body.or("scope", Map::new())?;
    let mut fields = Fields::new(given, "/scope");
    let scope = named(&mut fields, kind);
    let (scope, faults) = fields.finish(|| scope);
    pass_on(body, "scope", faults);
    scope
}

fn named(fields: &mut Fields, kind: Kind) -> Option<Scope> {
    let (client, scenario) = (fields.parsed("client_id"), fields.optional::<String>("scenario_id"));
    if scenario.is_some() && client.is_some() {
        fields.fault("scenario_id", "give this or client_id");
    }
    if scenario.as_ref().is_some_and(|id| id.is_empty() || id.len() > 128) {
        fields.fault("scenario_id", "must have 1 to 128 characters");
    }
    if scenario.is_some() && kind.is_of_owner() {
        fields.fault("scenario_id", "rules of this kind are about clients and the company, and not about scenarios");
    }
    Some(match (scenario, client) {
        (Some(scenario), _) => Scope::Scenario(scenario),
        (None, Some(client)) => Scope::Client(client),
        (None, None) => Scope::Tenant,
    })
}

/// The thresholds of a kind: what is left out is usual.
pub fn thresholds(body: &mut Fields, kind: Option<Kind>) -> Option<Thresholds> {
    let given: Map<String, Value> = body.or("thresholds", Map::new())?;
    let mut fields = Fields::new(given, "/thresholds");
    let thresholds = read(&mut fields, Thresholds::usual(kind?));
    let (thresholds, faults) = fields.finish(|| thresholds);
    pass_on(body, "thresholds", faults);
    thresholds
}

/// Faults within a field are faults of the body.
fn pass_on(body: &mut Fields, within: &str, faults: Vec<Fault>) {
    for fault in faults {
        let inner = fault.pointer.trim_start_matches('/').trim_start_matches(within).trim_start_matches('/');
        body.fault(within, format!("{inner}: {}", fault.detail));
    }
}

fn read(fields: &mut Fields, usual: Thresholds) -> Option<Thresholds> {
    Some(match usual {
        Thresholds::ErrorRate { percent, min_runs } => Thresholds::ErrorRate {
            percent: within(fields, "percent", percent, 1, 99)?,
            min_runs: within(fields, "min_runs", min_runs, 1, 1_000_000)?,
        },
        Thresholds::Limit { percent } => {
            let mut shares: Vec<u16> = fields.or("percent", percent)?;
            shares.sort_unstable();
            shares.dedup();
            if !(1..=10).contains(&shares.len()) || shares.iter().any(|share| !(1..=1_000).contains(share)) {
                fields.fault("percent", "must be 1 to 10 whole numbers from 1 to 1000");
            }
            Thresholds::Limit { percent: shares }
        }
        Thresholds::ScenarioStatus { stopped } => {
            Thresholds::ScenarioStatus { stopped: fields.or("stopped", stopped)? }
        }
        Thresholds::CostSpike { percent, floor, weeks } => Thresholds::CostSpike {
            percent: within(fields, "percent", percent, 101, 10_000)?,
            floor: money(fields, floor)?,
            weeks: within(fields, "weeks", weeks, 4, 8)?,
        },
        Thresholds::MissingSync { by_hour, days } => Thresholds::MissingSync {
            by_hour: within(fields, "by_hour", by_hour, 1, 23)?,
            days: within(fields, "days", days, 1, 7)?,
        },
        Thresholds::Silence { slack_minutes } => {
            Thresholds::Silence { slack_minutes: within(fields, "slack_minutes", slack_minutes, 15, 10_080)? }
        }
        Thresholds::EmptySuccess { points, min_runs } => Thresholds::EmptySuccess {
            points: within(fields, "points", points, 1, 99)?,
            min_runs: within(fields, "min_runs", min_runs, 1, 1_000_000)?,
        },
    })
}

fn within<T>(fields: &mut Fields, name: &str, usual: T, least: T, most: T) -> Option<T>
where
    T: DeserializeOwned + PartialOrd + std::fmt::Display,
{
    let given = fields.or(name, usual)?;
    if given < least || given > most {
        fields.fault(name, format!("must be from {least} to {most}"));
    }
    Some(given)
}

fn money(fields: &mut Fields, usual: Decimal) -> Option<Decimal> {
    let given: String = fields.or("floor", usual.to_string())?;
    let money = Decimal::from_str_exact(&given).ok();
    let money = money.filter(|money| *money >= Decimal::ZERO && *money <= MOST_MONEY && money.scale() <= 4);
    if money.is_none() {
        fields.fault("floor", "must be a decimal number as text, from 0 to 1000000000 with up to 4 decimals");
    }
    money
}

/// The kind that a path names. What can not be one is answered like what does not exist.
pub fn kind(call: &Call) -> Result<Kind> {
    call.part::<Kind>("kind", "kind of alert").map_err(|_| Error::NotFound { kind: "kind of alert" })
}
