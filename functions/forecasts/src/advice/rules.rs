//! The rules: each looks at one scenario, and says what the numbers say.

use std::collections::{HashMap, HashSet};

use jiff::SignedDuration;
use rust_decimal::Decimal;
use shared::{money::Amount, scenario::Owner, usage::ScenarioStatus, wilson};

use super::{
    Evidence, Idle, Kind, Suggestion,
    ledger::{Ledger, Told},
};

/// Hundredths of a credit that a check costs which finds nothing.
const CHECK: u64 = 100;
/// A schedule that finds nothing: so many runs, and so many of a hundred of them.
const POLLS: u64 = 100;
const POLLS_EMPTY: u64 = 80;
/// No schedule is proposed that is longer than a day.
const LONGEST: u64 = 24 * 60 * 60;
/// Failures that repeat: so many runs, on so many days, and more than this share of them for certain.
const RUNS: u64 = 20;
const FAILING_DAYS: usize = 3;
const FAILING: f64 = 0.05;
/// A limit is near from so many of a hundred on, on so many days; another idles up to so many.
const NEAR: u64 = 80;
const NEAR_DAYS: usize = 3;
const IDLE: u64 = 10;
/// So many incomplete runs pile up.
const PILE: u64 = 10;
/// A scenario has been there long enough to have run.
const OLD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// All that the numbers say, what saves the most first.
pub fn all(ledger: &Ledger) -> Vec<Suggestion> {
    let (rules, all) = ([polling, errors, limit, idle, incomplete], All::of(ledger));
    let of = |told| rules.iter().filter_map(|rule| rule(&all, told)).collect::<Vec<_>>();
    let mut all: Vec<Suggestion> = ledger.scenarios.iter().flat_map(of).collect();
    let saved = |one: &Suggestion| one.saves.as_ref().map_or(Decimal::ZERO, |saves| saves.credits.0);
    all.sort_by(|one, other| {
        saved(other).cmp(&saved(one)).then_with(|| (one.kind, &one.scenario_id).cmp(&(other.kind, &other.scenario_id)))
    });
    all
}

/// What rules ask of all scenarios: found once, for there may be very many.
struct All<'l> {
    ledger: &'l Ledger,
    /// Of each owner the scenario that idles with the highest limit.
    idlest: HashMap<Owner, &'l Told>,
    /// Those that did anything, for whomever.
    ran: HashSet<&'l str>,
}

impl<'l> All<'l> {
    fn of(ledger: &'l Ledger) -> Self {
        let (mut idlest, mut ran) = (HashMap::<_, &Told>::new(), HashSet::new());
        for told in &ledger.scenarios {
            let most = most(told);
            if told.limit().is_some_and(|limit| most > 0 && 100 * most <= IDLE * limit) {
                let best = idlest.entry(told.owner).or_insert(told);
                if told.limit() > best.limit() {
                    *best = told;
                }
            }
            if told.sum(|day| day.runs + day.operations) > 0 {
                ran.insert(told.id.as_str());
            }
        }
        Self { ledger, idlest, ran }
    }
}

fn suggestion(told: &Told, kind: Kind, proposal: String, evidence: Evidence) -> Suggestion {
    Suggestion {
        kind,
        client_id: told.owner.client(),
        scenario_id: told.id.clone(),
        scenario_name: told.name(),
        proposal,
        evidence,
        saves: None,
    }
}

/// A check that finds nothing is paid for. Checking less often finds the same a little later.
fn polling(all: &All<'_>, told: &Told) -> Option<Suggestion> {
    let (runs, empty) = (told.sum(|day| day.runs), told.sum(|day| day.empty));
    let scheduling = told.known.as_ref().and_then(|known| known.told.as_ref());
    let is_called = matches!(scheduling.and_then(|told| told.scheduling.as_deref()), Some("immediately" | "on-demand"));
    if runs < POLLS || 100 * empty < POLLS_EMPTY * runs || is_called {
        return None;
    }
    // So that every second check finds something, if it goes on like this.
    let factor = (runs / (2 * (runs - empty).max(1))).max(2);
    let interval = scheduling.and_then(|told| told.interval_s).filter(|seconds| (1..LONGEST).contains(seconds));
    let proposed = interval.map(|seconds| (seconds.saturating_mul(factor)).min(LONGEST));
    let left = match interval.zip(proposed) {
        Some((interval, proposed)) => runs.saturating_mul(interval) / proposed,
        None => runs / factor,
    };
    let spared = empty.min(runs - left);
    let proposal = match proposed {
        Some(seconds) => format!(
            "Check every {} minutes, or start it by an instant trigger (a webhook): {} of {runs} checks found nothing.",
            seconds.div_ceil(60),
            empty
        ),
        None => format!(
            "Check {factor} times less often, or start it by an instant trigger (a webhook): {empty} of {runs} checks found nothing."
        ),
    };
    let evidence = Evidence {
        days: told.days.keys().copied().collect(),
        run_count: Some(runs),
        empty_count: Some(empty),
        empty_rate: percent(empty, runs),
        empty_credits: Some(Amount::hundredths(empty * CHECK)),
        interval_seconds: interval,
        proposed_interval_seconds: proposed,
        ..Evidence::default()
    };
    let saves = all.ledger.saves(told, spared * CHECK);
    Some(Suggestion { saves, ..suggestion(told, Kind::PollingFindsNothing, proposal, evidence) })
}

/// Failures that come back are not bad weather; what they cost is what a run of this scenario costs in the mean.
fn errors(all: &All<'_>, told: &Told) -> Option<Suggestion> {
    let (runs, failed) = (told.sum(|day| day.runs), told.sum(|day| day.failed));
    let days: Vec<_> = told.days.iter().filter(|(_, day)| day.failed > 0).map(|(date, _)| *date).collect();
    let at_least = wilson::lower(failed, runs);
    if runs < RUNS || days.len() < FAILING_DAYS || at_least <= FAILING {
        return None;
    }
    let proposal = format!("Look at its failures: {failed} of {runs} runs on {} days.", days.len());
    let evidence = Evidence {
        days,
        run_count: Some(runs),
        error_count: Some(failed),
        error_rate: percent(failed, runs),
        error_rate_at_least: Some((at_least * 10_000.0).round() / 100.0),
        ..Evidence::default()
    };
    let saves = all.ledger.saves(told, told.sum(|day| day.centicredits).saturating_mul(failed) / runs);
    Some(Suggestion { saves, ..suggestion(told, Kind::ErrorsRepeat, proposal, evidence) })
}

/// Limits are made for what was expected; where one is too small and another too large, they can be told apart.
fn limit(all: &All<'_>, told: &Told) -> Option<Suggestion> {
    let limit = told.limit().filter(|limit| *limit > 0)?;
    let near = told.days.iter().filter(|(_, day)| 100 * day.operations >= NEAR * limit);
    let days: Vec<_> = near.map(|(date, _)| *date).collect();
    if days.len() < NEAR_DAYS {
        return None;
    }
    let other = all.idlest.get(&told.owner)?;
    let idle = Idle {
        scenario_id: other.id.clone(),
        scenario_name: other.name(),
        operations_limit: other.limit()?,
        operations_most: most(other),
    };
    let proposal = format!(
        "Raise its limit, and lower that of {}, which never used more than {} of {}.",
        idle.scenario_name, idle.operations_most, idle.operations_limit
    );
    let evidence = Evidence {
        days,
        operations_limit: Some(limit),
        operations_most: Some(most(told)),
        idle: Some(idle),
        ..Evidence::default()
    };
    Some(suggestion(told, Kind::LimitIsNear, proposal, evidence))
}

fn most(told: &Told) -> u64 {
    told.days.values().map(|day| day.operations).max().unwrap_or_default()
}

/// Switched on, and nothing starts it.
fn idle(all: &All<'_>, told: &Told) -> Option<Suggestion> {
    let known = told.known.as_ref()?;
    let said = known.told.as_ref()?;
    let is_on = said.status == ScenarioStatus::Active && said.gone_since.is_none();
    let is_old = all.ledger.now.duration_since(known.created_at) >= OLD;
    // What it did for somebody else before may not be for these eyes.
    let is_its = known.on(all.ledger.range.0).owner == told.owner;
    if !is_on || !is_old || !is_its || all.ran.contains(told.id.as_str()) {
        return None;
    }
    let proposal = "Switch it off, or look at why nothing starts it: it has not run for 30 days.".into();
    Some(suggestion(told, Kind::NeverRuns, proposal, Evidence { run_count: Some(0), ..Evidence::default() }))
}

/// What waits for somebody is lost in the end.
fn incomplete(all: &All<'_>, told: &Told) -> Option<Suggestion> {
    let known = told.known.as_ref()?;
    let said = known.told.as_ref().filter(|said| said.gone_since.is_none())?;
    let waiting = said.incomplete.filter(|waiting| *waiting >= PILE)?;
    // One that nobody has mapped is listed twice where somebody has stated its usage.
    if known.on(all.ledger.today()).owner != told.owner {
        return None;
    }
    let proposal = format!("Resolve its {waiting} incomplete executions at Make.com, or let it retry them by itself.");
    let evidence =
        Evidence { days: told.days.keys().copied().collect(), incomplete_count: Some(waiting), ..Evidence::default() };
    Some(suggestion(told, Kind::IncompletePileUp, proposal, evidence))
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (10_000.0 * part as f64 / whole as f64).round() / 100.0)
}
