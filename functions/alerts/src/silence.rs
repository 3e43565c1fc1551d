//! Silence: a scenario did not run when it should have.
//!
//! What it should do is what somebody has declared, else the interval at which Make.com runs it, else its own rhythm: the
//! hours of a clock in which it ran on this weekday in each of the four weeks before. Nothing is said of a time of which
//! nothing can be known yet: of a scenario whose runs come by the pull alone, what follows the last one.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use serde_json::json;
use shared::{
    alert::{Breach, Severity},
    run::RunDay,
    scenario::Scenario,
    usage::ScenarioStatus,
};

use crate::{
    book::Facts,
    engine::evidence,
    moment::{Hours, Moment, begin},
};

/// A rhythm is what happened in so many weeks.
const WEEKS: i32 = 4;
/// A day on which clocks were changed may have lacked the hour.
const LEAST: usize = 3;

/// Whether a scenario is silent.
pub fn evaluate(slack_minutes: u32, facts: &Facts<'_>, now: &Moment) -> Option<Breach> {
    let scenario = facts.scenario()?;
    let told = scenario.told.as_ref();
    if told.is_some_and(|told| told.status != ScenarioStatus::Active || told.gone_since.is_some()) {
        return None;
    }
    let slack = SignedDuration::from_mins(i64::from(slack_minutes));
    let last = last_run(facts, now);
    let known_to = known_to(scenario, last, now);
    if let Some((every, by_whom)) = every(scenario) {
        // Whoever starts it again starts it anew.
        let since = last.unwrap_or(scenario.created_at).max(told.map_or(Timestamp::UNIX_EPOCH, |told| told.at));
        // An interval that ends behind all time is never over.
        let due = every.checked_add(slack).and_then(|wait| since.checked_add(wait).ok())?;
        return (known_to >= due).then(|| silent(since, by_whom, json!({ "every_seconds": every.as_secs() })));
    }
    let last = last?;
    if facts.open_since.is_some_and(|since| last <= since) {
        return Some(silent(last, "its own rhythm", json!({ "still": true })));
    }
    let (date, hour) = missed(facts, now, last, known_to - slack)?;
    Some(silent(last, "its own rhythm", json!({ "date": date, "hour": hour, "weeks": WEEKS })))
}

fn silent(since: Timestamp, by_whom: &str, expected: serde_json::Value) -> Breach {
    Breach {
        severity: Severity::Warning,
        level: 0,
        day: None,
        summary: format!("it has not run since {since:.0}, and should have: so says {by_whom}"),
        evidence: evidence([("silent_since", json!(since)), ("expected_by", json!(by_whom)), ("expected", expected)]),
    }
}

/// How often it should run, and who says so.
fn every(scenario: &Scenario) -> Option<(SignedDuration, &'static str)> {
    if let Some(seconds) = scenario.expected_every_s {
        return Some((SignedDuration::from_secs(i64::from(seconds)), "what was declared"));
    }
    let told = scenario.told.as_ref().filter(|told| told.scheduling.as_deref() == Some("indefinitely"))?;
    let seconds = i64::try_from(told.interval_s?).ok().filter(|seconds| *seconds > 0)?;
    Some((SignedDuration::from_secs(seconds), "its interval at Make.com"))
}

/// Up to when its runs are known. One that was told of later than the pull's end is told of as it runs.
fn known_to(scenario: &Scenario, last: Option<Timestamp>, now: &Moment) -> Timestamp {
    match scenario.pulled {
        Some(pulled) if last.is_none_or(|last| last - SignedDuration::from_hours(1) <= pulled.to) => {
            pulled.to.min(now.at)
        }
        _ => now.at,
    }
}

/// The end of the last hour in which it ran; where only the day is known, of the day.
fn last_run(facts: &Facts<'_>, now: &Moment) -> Option<Timestamp> {
    let zone = &facts.book.zone;
    let by_hour = facts.ran().and_then(|ran| {
        ran.range(..=now.date).rev().find_map(|(date, day)| {
            let until = if *date == now.date { now.hour } else { 24 };
            let hour = (0..=until).rev().find(|hour| day.tally_of(*hour).runs() > 0)?;
            Some(begin(zone, *date, hour + 1).min(now.at))
        })
    });
    let by_day = facts.known().and_then(|known| {
        let days = known.days.range(..now.date).rev();
        let mut ran = days.filter(|(_, cell)| cell.succeeded + cell.warned + cell.failed > 0).map(|(date, _)| *date);
        let date = ran.next()?;
        // Its hours are known, or it has no hours at all.
        let known = facts.ran().is_some_and(|ran| ran.contains_key(&date));
        (!known).then(|| begin(zone, date.saturating_add(1.day()), 0).min(now.at))
    });
    by_hour.max(by_day)
}

/// The earliest hour since its last run that was expected, and is over by a moment: its day, and what a clock showed.
fn missed(facts: &Facts<'_>, now: &Moment, last: Timestamp, over: Timestamp) -> Option<(Date, u8)> {
    let ran = facts.ran()?;
    for date in [now.date.saturating_sub(1.day()), now.date] {
        let hours = facts.book.hours.get(&date)?;
        for (start, shown) in hours.starts() {
            if start < last || start + SignedDuration::from_hours(1) > over {
                continue;
            }
            // An hour that a clock shows twice is one.
            if !has_run(ran.get(&date), hours, shown) && is_usual(facts, ran, date, shown) {
                return Some((date, shown));
            }
        }
    }
    None
}

fn has_run(day: Option<&RunDay>, hours: &Hours, shown: u8) -> bool {
    day.is_some_and(|day| hours.at(shown).any(|hour| day.tally_of(hour).runs() > 0))
}

fn is_usual(facts: &Facts<'_>, ran: &BTreeMap<Date, RunDay>, date: Date, shown: u8) -> bool {
    let mut had = 0;
    for week in 1..=WEEKS {
        let then = date.saturating_sub((7 * week).days());
        let Some(hours) = facts.book.hours.get(&then) else { return false };
        if hours.at(shown).next().is_none() {
            continue;
        }
        if !has_run(ran.get(&then), hours, shown) {
            return false;
        }
        had += 1;
    }
    had >= LEAST
}
