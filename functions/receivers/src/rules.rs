//! What follows from what was seen: rules without a table and without a clock of their own.

use jiff::{SignedDuration, Timestamp};
use shared::receiver::{Fill, Hook, Incomplete, Kind, Receiver, Scenario, Trouble, Untold};

/// Between two looks: a little less than between two runs of the schedule, which do not come to the second. And between
/// two where a queue is about to be full.
pub const INTERVAL: SignedDuration = SignedDuration::from_secs(110);
pub const HURRY: SignedDuration = SignedDuration::from_secs(15);

/// Incomplete runs are told again when they are so many times as many.
const MANY_MORE: u64 = 10;

/// What a look at Make.com brought of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The team that the webhook belongs to.
    pub team: Option<u64>,
    /// The webhook; none has the endpoint's address where it is missing.
    pub hook: Option<Hook>,
    /// Its scenario, where it has one that the token sees.
    pub scenario: Option<Scenario>,
    /// Whether it has a scenario.
    pub attached: bool,
}

/// What is known now, and which notices it takes to tell the change.
///
/// Each change is told once. A trouble that takes the place of another is told under its own name, and `…_ended` when
/// all is well.
pub fn judge(name: &str, before: &Receiver, seen: Seen, now: Timestamp) -> Receiver {
    let another = seen.scenario.as_ref().map(|scenario| scenario.id) != before.scenario.as_ref().map(|known| known.id);
    let mut after = Receiver {
        team: seen.team.or(before.team),
        hook: seen.hook,
        scenario: seen.scenario,
        seen_at: now,
        untold: Vec::new(),
        ..before.clone()
    };
    if another {
        (after.incomplete, after.incomplete_known) = (None, None);
    }
    trouble(name, &mut after, seen.attached, now);
    fill(name, &mut after, now);
    incomplete(name, &mut after, now);
    after
}

/// What was known is too old to act upon: the endpoint is sent again what is due to it.
pub fn forget(name: &str, before: &Receiver, now: Timestamp) -> Receiver {
    let acted_upon = before.holds() || before.fill != Fill::Low;
    let mut after = Receiver {
        trouble: None,
        fill: Fill::Low,
        fill_since: None,
        held_at: None,
        untold: Vec::new(),
        ..before.clone()
    };
    if acted_upon {
        let since = before.seen_at.strftime("%Y-%m-%dT%H:%M:%SZ");
        let detail = format!("Make.com has not said since {since} how its webhook is; it is sent everything again");
        tell(name, &mut after, "receiver_unknown".into(), detail, now);
    }
    after
}

/// When to look again: soon where the queue moves, and half of it is taken or would be by the next look; and where what was
/// kept is sent now.
pub fn next_look(before: &Receiver, after: &Receiver) -> SignedDuration {
    let known =
        |receiver: &Receiver| receiver.hook.as_ref().and_then(|hook| Some((hook.queue_count?, hook.queue_limit?)));
    let Some((count, limit)) = known(after) else { return INTERVAL };
    // What is held is not sent: nothing of ours can fill the queue. What was kept comes at once.
    if after.holds() {
        return INTERVAL;
    }
    if before.holds() {
        return HURRY;
    }
    if known(before).is_some_and(|(earlier, _)| earlier == count) && before.fill == after.fill {
        return INTERVAL;
    }
    let growth = known(before).map_or(0, |(earlier, _)| count.saturating_sub(earlier));
    let seconds = after.seen_at.duration_since(before.seen_at).as_secs().unsigned_abs().max(1);
    let expected = count.saturating_add(growth.saturating_mul(INTERVAL.as_secs().unsigned_abs()) / seconds);
    if after.fill != Fill::Low || percent(expected, limit) >= 50 { HURRY } else { INTERVAL }
}

fn trouble(name: &str, after: &mut Receiver, attached: bool, now: Timestamp) {
    let kind = kind(after, attached);
    let before = after.trouble;
    if kind == before.map(|trouble| trouble.kind) {
        return;
    }
    after.trouble = kind.map(|kind| Trouble { kind, since: now });
    if let Some(kind) = kind {
        let detail = format!("{}, what is due is kept here; {} in its queue", after.what_is(kind), after.waiting());
        tell(name, after, kind.name().into(), detail, now);
    } else if let Some(Trouble { kind, .. }) = before {
        let detail = format!("{}; what was kept is sent", well(kind, after));
        tell(name, after, format!("{}_ended", kind.name()), detail, now);
    }
}

/// The worst of what is wrong. What was not said is not wrong.
fn kind(receiver: &Receiver, attached: bool) -> Option<Kind> {
    let hook = receiver.hook.as_ref()?;
    if !hook.listed || hook.gone == Some(true) {
        return Some(Kind::HookGone);
    }
    if hook.enabled == Some(false) {
        return Some(Kind::HookDisabled);
    }
    if !attached {
        return Some(Kind::HookUnattached);
    }
    let scenario = receiver.scenario.as_ref()?;
    // A scenario that an error has stopped is off, too.
    if scenario.is_invalid == Some(true) {
        return Some(Kind::ScenarioInvalid);
    }
    if scenario.is_paused == Some(true) {
        return Some(Kind::ScenarioPaused);
    }
    (scenario.is_active == Some(false)).then_some(Kind::ScenarioOff)
}

fn well(kind: Kind, receiver: &Receiver) -> String {
    match kind {
        Kind::HookGone | Kind::HookUnattached => "its webhook has a scenario again".into(),
        Kind::HookDisabled => "its webhook is enabled again".into(),
        Kind::ScenarioInvalid | Kind::ScenarioPaused | Kind::ScenarioOff => {
            format!("{} is on again", receiver.scenario_name())
        }
    }
}

fn fill(name: &str, after: &mut Receiver, now: Timestamp) {
    let told = |fill: Fill| match fill {
        Fill::Low => None,
        Fill::Filling | Fill::High => Some("queue_filling"),
        Fill::Full => Some("queue_full"),
    };
    let before = after.fill;
    let (count, limit) = after.hook.as_ref().map_or((None, None), |hook| (hook.queue_count, hook.queue_limit));
    after.fill = match (count, limit) {
        (Some(count), Some(limit @ 1..)) => filled(before, percent(count, limit)),
        _ => Fill::Low,
    };
    if told(before) == told(after.fill) {
        return;
    }
    let notice = match (told(before), told(after.fill)) {
        // Less full is told as the end of full, not as an alarm of its own.
        (Some(ended), None) | (Some(ended @ "queue_full"), Some(_)) => format!("{ended}_ended"),
        (_, Some(begun)) => begun.into(),
        (None, None) => return,
    };
    after.fill_since = (after.fill != Fill::Low).then_some(now);
    let then = match after.fill.pace() {
        Some(pace) => format!("it is sent at {pace} % of its pace"),
        None => "what is due is kept here until half of it is free".into(),
    };
    let detail = format!("{}; {then}", after.queue());
    tell(name, after, notice, detail, now);
}

/// Upwards at 50, 80 and above 95 percent. Downwards ten percent later, and from full not before half is free: a queue that hovers
/// at a mark is not told of again and again.
fn filled(before: Fill, percent: u64) -> Fill {
    let risen = match percent {
        0..50 => Fill::Low,
        50..80 => Fill::Filling,
        80..=95 => Fill::High,
        _ => Fill::Full,
    };
    let falls_to = match before {
        Fill::Low => Fill::Low,
        Fill::Filling if percent < 40 => Fill::Low,
        Fill::Filling => Fill::Filling,
        Fill::High if percent < 40 => Fill::Low,
        Fill::High if percent < 70 => Fill::Filling,
        Fill::High => Fill::High,
        // What was kept comes at once: not at full pace.
        Fill::Full if percent < 50 => Fill::Filling,
        Fill::Full => Fill::Full,
    };
    risen.max(falls_to)
}

fn percent(count: u64, limit: u64) -> u64 {
    count.saturating_mul(100) / limit.max(1)
}

/// Told when there are more than were there at first, when there are many times more, and when it is as before.
fn incomplete(name: &str, after: &mut Receiver, now: Timestamp) {
    let Some(runs) = after.scenario.as_ref().and_then(|scenario| scenario.incomplete_runs) else { return };
    let Some(known) = after.incomplete_known else {
        after.incomplete_known = Some(runs);
        return;
    };
    match after.incomplete {
        None if runs > known => after.incomplete = Some(Incomplete { since: now, told: runs }),
        Some(earlier) if runs >= earlier.told.saturating_mul(MANY_MORE) => {
            after.incomplete = Some(Incomplete { told: runs, ..earlier });
        }
        Some(_) if runs <= known => {
            (after.incomplete, after.incomplete_known) = (None, Some(runs));
            let detail = format!("{} has no more incomplete runs than before", after.scenario_name());
            return tell(name, after, "incomplete_runs_ended".into(), detail, now);
        }
        None => {
            after.incomplete_known = Some(runs);
            return;
        }
        Some(_) => return,
    }
    let detail = format!("{runs} runs of {} ended incomplete and wait for somebody", after.scenario_name());
    tell(name, after, "incomplete_runs".into(), detail, now);
}

fn tell(name: &str, receiver: &mut Receiver, notice: String, detail: String, at: Timestamp) {
    receiver.untold.push(Untold { name: notice, detail: format!("{name}: {detail}"), at });
}
