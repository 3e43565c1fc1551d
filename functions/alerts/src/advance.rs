//! How an alert goes on from one evaluation to the next.

use jiff::{SignedDuration, Timestamp, civil::Date};
use shared::{
    alert::{Alert, Breach, Kind, State, Subject},
    id::TenantId,
    trace::TraceId,
};

/// Nobody is told twice within this that the same alert opened, whatever it does meanwhile; but of the next share of a limit.
pub const AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// So many evaluations in a row without a breach end it.
const CLEAR: u8 = 2;

/// What is told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has opened.
    Opened,
    /// The next share of a limit is reached.
    Escalated,
    /// It is over.
    Resolved,
}

impl Change {
    /// Its name on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
        }
    }
}

/// What an alert is about, and when it is looked at.
pub struct Look<'a> {
    /// Whose.
    pub tenant: TenantId,
    /// What it is about.
    pub kind: Kind,
    /// Of what.
    pub subject: &'a Subject,
    /// What people call that.
    pub name: &'a str,
    /// Nobody is told until then.
    pub muted_until: Option<Timestamp>,
    /// The tenant has been told enough in this hour: the rest waits for the next.
    pub enough: bool,
    /// The hour of the evaluation: one that is repeated changes nothing.
    pub hour: Timestamp,
    /// The tenant's day.
    pub today: Date,
}

impl Look<'_> {
    /// Whether its rule is muted.
    fn hushes(&self) -> bool {
        self.muted_until.is_some_and(|until| until > self.hour)
    }
}

/// The alert as it is after an evaluation, and what is told of it; nothing where nothing changes.
pub fn advance(known: Option<&Alert>, breach: Option<Breach>, look: &Look<'_>) -> Option<(Alert, Option<Change>)> {
    match (known.filter(|alert| alert.is_on()), breach) {
        (None, None) => None,
        (None, Some(breach)) => Some(open(known, breach, look)),
        (Some(alert), Some(breach)) if alert.breach.day != breach.day => over(alert, look),
        // What somebody did about it, and was told, was for whom the scenario ran then: it opens anew.
        (Some(alert), Some(_)) if alert.subject.owner != look.subject.owner => over(alert, look),
        (Some(alert), Some(breach)) => goes_on(alert, breach, look),
        (Some(alert), None) => clears(alert, look),
    }
}

fn open(known: Option<&Alert>, breach: Breach, look: &Look<'_>) -> (Alert, Option<Change>) {
    let same = known.filter(|alert| alert.subject.owner == look.subject.owner);
    let told_at = same.and_then(|alert| alert.told_at);
    let muted = look.muted_until.filter(|_| look.hushes());
    // A share of today's limit stays told where somebody has resolved it since.
    let is_told = same.is_some_and(|known| {
        let (was, is) = (&known.breach, &breach);
        is.level > 0 && was.day == is.day && was.level >= is.level && known.told_at.is_some()
    });
    let tells = muted.is_none() && !look.enough && !is_told && may_tell(told_at, &breach, look.hour);
    let alert = Alert {
        tenant: look.tenant,
        id: look.subject.alert(look.tenant, look.kind),
        kind: look.kind,
        subject: look.subject.clone(),
        name: look.name.into(),
        state: if muted.is_some() { State::Muted } else { State::Open },
        muted_until: muted,
        breach,
        opened_at: look.hour,
        resolved_at: None,
        by: None,
        clear: 0,
        evaluated_at: look.hour,
        told: tells || is_told,
        told_at: if tells { Some(look.hour) } else { told_at },
        trace: TraceId::new(),
        revision: known.map_or(0, |alert| alert.revision + 1),
    };
    (alert, tells.then_some(Change::Opened))
}

/// Shares of a limit are told when they are reached, everything else once in 24 hours.
fn may_tell(told_at: Option<Timestamp>, breach: &Breach, hour: Timestamp) -> bool {
    breach.level > 0 || told_at.is_none_or(|told| told + AGAIN <= hour)
}

fn goes_on(alert: &Alert, breach: Breach, look: &Look<'_>) -> Option<(Alert, Option<Change>)> {
    let mut next = alert.clone();
    (next.name, next.clear) = (look.name.into(), 0);
    if next.state == State::Muted && next.muted_until.is_none_or(|until| until <= look.hour) {
        (next.state, next.muted_until) = (State::Open, None);
    }
    let waits = next.state == State::Muted || look.hushes() || look.enough;
    let escalates = breach.level > alert.breach.level;
    // What a correction takes back of a limit stays told.
    if breach.level >= alert.breach.level {
        next.breach = breach;
    }
    if escalates && waits && alert.told {
        // It is shown, and escalates again as soon as somebody may be told.
        next.breach.level = alert.breach.level;
    }
    if escalates && !waits && next.state == State::Acknowledged {
        (next.state, next.by) = (State::Open, None);
    }
    let change = match next.state {
        State::Open if waits => None,
        State::Open if !next.told => may_tell(next.told_at, &next.breach, look.hour).then_some(Change::Opened),
        State::Open if escalates => Some(Change::Escalated),
        _ => None,
    };
    if change.is_some() {
        (next.told, next.told_at) = (true, Some(look.hour));
    }
    if next == *alert {
        return None;
    }
    next.evaluated_at = look.hour;
    next.revision += 1;
    Some((next, change))
}

fn clears(alert: &Alert, look: &Look<'_>) -> Option<(Alert, Option<Change>)> {
    // A limit is one of its day, and what was used of it is not given back.
    if alert.evaluated_at >= look.hour || alert.breach.day == Some(look.today) {
        return None;
    }
    if alert.clear + 1 >= CLEAR {
        return over(alert, look);
    }
    let next = Alert { clear: alert.clear + 1, evaluated_at: look.hour, revision: alert.revision + 1, ..alert.clone() };
    Some((next, None))
}

/// The alert, ended; nothing where that should be told and enough was told in this hour: then it ends an hour later.
fn over(alert: &Alert, look: &Look<'_>) -> Option<(Alert, Option<Change>)> {
    let (next, change) = end(alert, None, look.hour);
    let change = change.filter(|_| !look.hushes());
    (change.is_none() || !look.enough).then_some((next, change))
}

/// The alert, ended. That it has is told to those who were told that it opened, unless it is muted still.
pub fn end(alert: &Alert, by: Option<String>, at: Timestamp) -> (Alert, Option<Change>) {
    let muted = alert.state == State::Muted && alert.muted_until.is_some_and(|until| until > at);
    let tells = alert.told && !muted;
    let next = Alert {
        state: State::Resolved,
        muted_until: None,
        resolved_at: Some(at),
        by,
        told: false,
        clear: 0,
        evaluated_at: at,
        revision: alert.revision + 1,
        ..alert.clone()
    };
    (next, tells.then_some(Change::Resolved))
}
