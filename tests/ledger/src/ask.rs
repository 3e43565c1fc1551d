//! The questions, what they cost, and whether their answers are right.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::{Timestamp, civil::Date};
use make_operations::metrics;
use rust_decimal::Decimal;
use serde_json::Value;
use shared::{
    gate::{Gate, Role},
    id::TenantId,
    scenario::Owner,
    table::Table,
    testing::{Units, person},
};

use crate::{
    Result,
    expected::{Expected, Sum},
};

/// What an answer took.
pub struct Answer {
    pub data: Value,
    pub read_units: f64,
    pub took: Duration,
    pub bytes: usize,
}

/// Asks as the owner.
pub async fn ask(table: &Table, units: &Units, tenant: TenantId, query: &str, now: Timestamp) -> Result<Answer> {
    let deps = metrics::Deps { gate: Gate::new(table.clone()), table: table.clone() };
    let call = |query: &str| person(tenant, Role::Owner).with_query(query).at(now);
    // The caller's own limit is leased with another question.
    metrics::handle(&deps, call("preset=24h&compare=false")).await?;
    units.take();
    let begun = Instant::now();
    let reply = metrics::handle(&deps, call(query)).await?;
    let took = begun.elapsed();
    let read_units = units.take().1;
    let answer: Value = serde_json::from_slice(&reply.body)?;
    Ok(Answer { bytes: reply.body.len(), data: answer["data"].clone(), read_units, took })
}

/// What in an answer is not as it was computed for a range of days, both included.
pub fn differences(data: &Value, expected: &Expected, (from, to): (i64, i64)) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: String, told: &Value, sum: &Sum| {
        if let Some(difference) = difference(told, sum) {
            found.push(format!("{what}: {difference}"));
        }
    };
    let none = Sum::default();
    compare("totals".into(), &data["totals"], &expected.total);
    let days: BTreeMap<i64, &Value> =
        list(&data["by_day"]).iter().filter_map(|day| Some((number(day)?, day))).collect();
    for n in from..=to {
        let sum = expected.days.get(&n).unwrap_or(&none);
        compare(format!("day {n}"), days.get(&n).copied().unwrap_or(&Value::Null), sum);
    }
    let owners: BTreeMap<Owner, &Value> =
        list(&data["by_client"]).iter().map(|client| (owner(client), client)).collect();
    for owner in expected.owners.keys().chain(owners.keys()) {
        let told = owners.get(owner).copied().unwrap_or(&Value::Null);
        compare(format!("{owner:?}"), told, expected.owners.get(owner).unwrap_or(&none));
    }
    let place = |one: &Value| (owner(one), one["scenario_id"].as_str().unwrap_or_default().to_owned());
    let scenarios: BTreeMap<_, &Value> = list(&data["by_scenario"]).iter().map(|one| (place(one), one)).collect();
    for place in expected.scenarios.keys().chain(scenarios.keys()) {
        let told = scenarios.get(place).copied().unwrap_or(&Value::Null);
        compare(format!("{place:?}"), told, expected.scenarios.get(place).unwrap_or(&none));
    }
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The day of an entry, since 1970.
fn number(day: &Value) -> Option<i64> {
    let date: Date = day["date"].as_str()?.parse().ok()?;
    Some(date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24)
}

fn owner(told: &Value) -> Owner {
    match (told["client_id"].as_str().and_then(|id| id.parse().ok()), told["mapped"].as_bool()) {
        (Some(client), _) => Owner::Client(client),
        (None, Some(true)) => Owner::Company,
        _ => Owner::Unmapped,
    }
}

fn difference(told: &Value, sum: &Sum) -> Option<String> {
    let counts = [
        ("operations_count", sum.operations),
        ("success_count", sum.succeeded),
        ("warning_count", sum.warned),
        ("error_count", sum.failed),
        ("empty_count", sum.empty),
        ("transfer_bytes", sum.transfer),
    ];
    let wrong = counts.into_iter().find(|(name, n)| told[*name] != *n);
    if let Some((name, n)) = wrong {
        return Some(format!("{name} is {} and should be {n}", told[name]));
    }
    // Hundred-millionths of a dollar, for a price is in millionths and credits in hundredths.
    let amounts = [
        ("credits", Decimal::from(sum.centicredits) / Decimal::ONE_HUNDRED),
        ("cost_usd", Decimal::from(sum.cost) / Decimal::from(100_000_000)),
    ];
    let wrong = amounts.into_iter().find(|(name, amount)| {
        // As JSON numbers are read here, through a float: to the cent of a cent.
        let read = told[*name].as_f64().and_then(|n| Decimal::try_from(n).ok()).unwrap_or_default();
        (read - amount).abs() > Decimal::new(1, 6)
    });
    if let Some((name, amount)) = wrong {
        return Some(format!("{name} is {} and should be {amount}", told[name]));
    }
    let minutes = (sum.seconds_saved as f64 / 60.0 * 100.0).round() / 100.0;
    (told["minutes_saved"].as_f64() != Some(minutes)).then(|| format!("minutes_saved is {}", told["minutes_saved"]))
}
