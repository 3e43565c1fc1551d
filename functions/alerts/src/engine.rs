//! Whether a rule is broken at a moment: a function of what is known, and of nothing else.
//!
//! The hourly evaluation and the rehearsal ask the same function. What was stated for a day without hours counts from the
//! day's beginning on; of operations and costs with hours, as much counts as the runs up to then are of the day's.

use std::collections::BTreeMap;

use jiff::{ToSpan, civil::Date};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use shared::{
    alert::{Breach, Severity, Thresholds},
    run::Tally,
    scenario::Owner,
    sheet::{Cell, Stated, Sums},
    usage::ScenarioStatus,
    wilson,
};

use crate::{
    book::{Facts, Known},
    moment::{Moment, begin},
    silence,
};

/// A scenario that has not run for so long before it was stopped was not in use.
const IN_USE_DAYS: i32 = 7;
/// The median is one of so many weeks at least.
const LEAST_WEEKS: usize = 4;

/// Whether a rule is broken by what is known of its subject up to a moment.
pub fn evaluate(rule: &Thresholds, facts: &Facts<'_>, now: &Moment) -> Option<Breach> {
    match rule {
        Thresholds::ErrorRate { percent, min_runs } => error_rate(*percent, *min_runs, facts, now),
        Thresholds::Limit { percent } => limit(percent, facts, now),
        Thresholds::ScenarioStatus { stopped } => status(*stopped, facts, now),
        Thresholds::CostSpike { percent, floor, weeks } => cost_spike(*percent, *floor, *weeks, facts, now),
        Thresholds::MissingSync { by_hour, days } => missing_sync(*by_hour, *days, facts, now),
        Thresholds::Silence { slack_minutes } => silence::evaluate(*slack_minutes, facts, now),
        Thresholds::EmptySuccess { points, min_runs } => empty_success(*points, *min_runs, facts, now),
    }
}

/// The figures that show a breach.
pub fn evidence<const N: usize>(figures: [(&str, Value); N]) -> BTreeMap<String, Value> {
    figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn breach<const N: usize>(severity: Severity, summary: String, figures: [(&str, Value); N]) -> Option<Breach> {
    Some(Breach { severity, level: 0, day: None, summary, evidence: evidence(figures) })
}

/// A share in percent, with two decimals at most. A whole number is one, for so the table gives it back.
fn percent(share: f64) -> Value {
    let hundredths = (share * 10_000.0).round();
    if hundredths % 100.0 == 0.0 { json!((hundredths / 100.0) as u64) } else { json!(hundredths / 100.0) }
}

fn days_before(date: Date, days: i32) -> Date {
    date.saturating_sub(days.days())
}

/// The runs of the last 24 hours; where no hours are known, those of the latest day that was stated.
fn lately(facts: &Facts<'_>, now: &Moment) -> Option<Tally> {
    let mut tally = Tally::default();
    if let Some(ran) = facts.ran() {
        for (date, hour) in &now.window {
            if let Some(day) = ran.get(date) {
                tally += day.tally_of(*hour);
            }
        }
        return (tally.runs() > 0).then_some(tally);
    }
    let (_, cell) = stated_day(facts.known()?, now)?;
    Some(Tally { succeeded: cell.succeeded, warned: cell.warned, failed: cell.failed, empty: cell.empty })
}

/// What was told of today, or else of yesterday: a sync in the morning tells of the day before.
fn stated_day<'b>(known: &'b Known, now: &Moment) -> Option<(Date, &'b Cell)> {
    [now.date, days_before(now.date, 1)].into_iter().find_map(|date| Some((date, known.days.get(&date)?)))
}

fn error_rate(threshold: u16, min_runs: u64, facts: &Facts<'_>, now: &Moment) -> Option<Breach> {
    let tally = lately(facts, now)?;
    let (runs, failed) = (tally.runs(), tally.failed);
    let lower = wilson::lower(failed, runs);
    if runs < min_runs.max(1) || lower * 100.0 <= f64::from(threshold) {
        return None;
    }
    breach(
        Severity::Warning,
        format!("{failed} of {runs} runs failed within a day"),
        [
            ("runs", json!(runs)),
            ("failed", json!(failed)),
            ("error_rate_percent", percent(wilson::share(failed, runs))),
            ("lower_bound_percent", percent(lower)),
            ("threshold_percent", json!(threshold)),
        ],
    )
}

fn limit(thresholds: &[u16], facts: &Facts<'_>, now: &Moment) -> Option<Breach> {
    let known = facts.known()?;
    let hourly = facts.ran().is_some();
    let (date, cell) = stated_day(known, now).filter(|(date, _)| !hourly || *date == now.date)?;
    let declared = facts.scenario().and_then(|scenario| scenario.daily_limit);
    let limit = declared.or(cell.stated.as_ref().and_then(|stated| stated.limit)).filter(|limit| *limit > 0)?;
    let operations = so_far(cell.operations, facts, date, now);
    let reached = u128::from(operations) * 100 / u128::from(limit);
    let level = thresholds.iter().copied().filter(|percent| u128::from(*percent) <= reached).max()?;
    let severity = match level {
        100.. => Severity::Critical,
        75.. => Severity::Warning,
        _ => Severity::Info,
    };
    let summary = format!("{operations} of {limit} operations of {date} are used ({level} % reached)");
    let figures = [
        ("date", json!(date)),
        ("operations_count", json!(operations)),
        ("operations_limit", json!(limit)),
        ("threshold_percent", json!(level)),
    ];
    Some(Breach { severity, level, day: Some(date), summary, evidence: evidence(figures) })
}

/// As much of a day's operations as the runs up to now are of the day's.
fn so_far(operations: u64, facts: &Facts<'_>, date: Date, now: &Moment) -> u64 {
    let Some(day) = facts.ran().and_then(|ran| ran.get(&date)).filter(|_| date == now.date) else { return operations };
    let all: u64 = (0..25).map(|hour| day.tally_of(hour).runs()).sum();
    let until: u64 = (0..=now.hour).map(|hour| day.tally_of(hour).runs()).sum();
    if all == 0 {
        operations
    } else {
        u64::try_from(u128::from(operations) * u128::from(until) / u128::from(all)).unwrap_or(operations)
    }
}

fn status(stopped: bool, facts: &Facts<'_>, now: &Moment) -> Option<Breach> {
    let known = facts.known()?;
    let told = facts.scenario().and_then(|scenario| scenario.told.as_ref()).filter(|told| told.at <= now.at);
    let (status, gone, since) = match told {
        Some(told) => {
            let gone = told.gone_since.filter(|gone| *gone <= now.at);
            (told.status, gone.is_some(), Moment::place(&facts.book.zone, gone.unwrap_or(told.at)).0)
        }
        None => {
            let (date, cell) = stated_day(known, now)?;
            let Stated { status, .. } = cell.stated.as_ref()?;
            (*status, false, date)
        }
    };
    let was_in_use = || {
        let week = days_before(since, IN_USE_DAYS)..=since;
        let ran = |(_, cell): (_, &Cell)| cell.succeeded + cell.warned + cell.failed > 0;
        // What it did before it was stopped is forgotten sooner than that it was.
        facts.open_since.is_some() || known.days.range(week).any(ran)
    };
    let what = match status {
        _ if gone => "Make.com does not know it any more",
        ScenarioStatus::Active => return None,
        ScenarioStatus::Error => "it has stopped by itself, with an error",
        ScenarioStatus::Paused => "it is paused",
        ScenarioStatus::Disabled => "it is switched off",
    };
    let severity = match status {
        ScenarioStatus::Error if !gone => Severity::Critical,
        _ if stopped && was_in_use() => Severity::Warning,
        _ => return None,
    };
    breach(
        severity,
        format!("{what}, since {since}"),
        [("status", json!(status)), ("gone", json!(gone)), ("since", json!(since))],
    )
}

fn cost_spike(factor: u32, floor: Decimal, weeks: u8, facts: &Facts<'_>, now: &Moment) -> Option<Breach> {
    let totals = &facts.days()?.totals;
    let (date, sums) =
        [now.date, days_before(now.date, 1)].into_iter().find_map(|date| Some((date, totals.get(&date)?)))?;
    let same_weekday = (1..=i32::from(weeks)).map(|week| days_before(date, 7 * week));
    let before: Vec<BTreeMap<&str, Decimal>> =
        same_weekday.filter_map(|day| Some(costs(facts, day, totals.get(&day)?))).collect();
    let spike = |(currency, cost): (&str, Decimal)| {
        let mut past: Vec<Decimal> = before.iter().filter_map(|costs| costs.get(currency).copied()).collect();
        if past.len() < LEAST_WEEKS || cost < floor {
            return None;
        }
        let median = median(&mut past);
        (cost * Decimal::ONE_HUNDRED > median * Decimal::from(factor))
            .then(|| (currency.to_owned(), cost, median, past.len()))
    };
    let (currency, cost, median, weeks) = costs(facts, date, sums).into_iter().find_map(spike)?;
    let [cost, median] = [cost, median].map(|amount| amount.normalize().to_string());
    breach(
        Severity::Warning,
        format!("{date} has cost {cost} {currency} so far; the median of this weekday is {median}"),
        [
            ("date", json!(date)),
            ("cost", json!(cost)),
            ("median", json!(median)),
            ("currency", json!(currency)),
            ("weeks", json!(weeks)),
            ("threshold_percent", json!(factor)),
        ],
    )
}

/// What a day of the owner cost, in each money: its credits at the day's price, or else what was stated.
fn costs<'b>(facts: &Facts<'b>, date: Date, sums: &Sums) -> BTreeMap<&'b str, Decimal> {
    let dollars = |stated: shared::usage::Usd| Decimal::from(stated.ten_thousandths()) / Decimal::from(10_000);
    let Some(rate) = facts.book.rates.on(facts.subject.owner, date) else {
        return BTreeMap::from([("USD", dollars(sums.cost))]);
    };
    let mut costs = BTreeMap::from([(rate.currency.as_str(), rate.cost(sums.centicredits))]);
    if sums.uncredited_cost > Default::default() {
        *costs.entry("USD").or_default() += dollars(sums.uncredited_cost);
    }
    costs
}

/// The middle one, or the mean of the two in the middle. Of none it is zero.
fn median(values: &mut [Decimal]) -> Decimal {
    values.sort();
    let half = values.len() / 2;
    match values {
        [] => Decimal::ZERO,
        values if values.len() % 2 == 1 => values[half],
        values => (values[half - 1] + values[half]) / Decimal::TWO,
    }
}

fn missing_sync(by_hour: u8, least: u8, facts: &Facts<'_>, now: &Moment) -> Option<Breach> {
    // Before that hour the day before the last one is the latest that has to be there.
    let today = if now.clock >= by_hour { now.date } else { days_before(now.date, 1) };
    let due = days_before(today, 1);
    let (stated, zone) = (&facts.days()?.stated, &facts.book.zone);
    // One that is open tells of all days since, and of what was usual before the first.
    let opened = facts.open_since.map(|since| days_before(Moment::place(zone, since).0, 1));
    let first = opened.map_or(due, |opened| opened.min(due));
    let before = (1..=7).filter(|days| stated.contains(&days_before(first, *days))).count();
    if before >= usize::from(least) && stated.range(first..=due).next().is_none() {
        return breach(
            Severity::Warning,
            format!("nothing was synced since {first}; {before} of the seven days before were"),
            [
                ("date", json!(due)),
                ("since", json!(first)),
                ("synced_of_seven", json!(before)),
                ("by_hour", json!(by_hour)),
            ],
        );
    }
    let pull = facts.book.pull.as_ref().filter(|_| facts.subject.owner == Owner::Company)?;
    let morning = begin(zone, today, 0);
    if pull.since >= morning || pull.last_success_at.is_some_and(|at| at >= morning) {
        return None;
    }
    breach(
        Severity::Warning,
        format!("nothing was pulled from Make.com in full on {today}"),
        [
            ("date", json!(today)),
            ("last_success_at", json!(pull.last_success_at)),
            ("failure", json!(pull.failure)),
            ("by_hour", json!(by_hour)),
        ],
    )
}

fn empty_success(points: u16, min_runs: u64, facts: &Facts<'_>, now: &Moment) -> Option<Breach> {
    facts.ran()?;
    let (tally, known) = (lately(facts, now)?, facts.known()?);
    let weeks = days_before(now.date, crate::book::PAST)..days_before(now.date, 1);
    let (mut before, mut empty_before) = (0, 0);
    for (_, cell) in known.days.range(weeks) {
        before += cell.succeeded + cell.warned + cell.failed;
        empty_before += cell.empty;
    }
    let (runs, empty) = (tally.runs(), tally.empty);
    let least = min_runs.max(1);
    let (lower, usual) = (wilson::lower(empty, runs), wilson::share(empty_before, before));
    if runs < least || before < least || lower * 100.0 <= usual * 100.0 + f64::from(points) {
        return None;
    }
    breach(
        Severity::Warning,
        format!("{empty} of {runs} runs within a day succeeded and did nothing; {} % is usual", percent(usual)),
        [
            ("runs", json!(runs)),
            ("empty", json!(empty)),
            ("lower_bound_percent", percent(lower)),
            ("usual_percent", percent(usual)),
            ("runs_before", json!(before)),
            ("threshold_points", json!(points)),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let of = |values: &[i64]| median(&mut values.iter().copied().map(Decimal::from).collect::<Vec<_>>());
        let middles = [0, 30, 40, 45].map(|tenths| Decimal::new(tenths, 1));
        assert_eq!([of(&[]), of(&[3]), of(&[9, 1, 4]), of(&[9, 1, 4, 5])], middles);
    }
}
