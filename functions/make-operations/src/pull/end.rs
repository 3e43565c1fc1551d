//! How a turn ends: when the pull goes on, and what a person should know.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shared::{
    Error, Result,
    id::TenantId,
    key,
    make::{
        api::Failure,
        pull::{Pull, State, Work},
    },
    notice::Notice,
    table::Table,
};
use tokio::time::timeout;

use super::turn::{Stop, Turn};

/// So long no pull may succeed before it is told: a day, and what the longest one takes.
pub const SILENT: SignedDuration = SignedDuration::from_hours(26);
/// When it is tried again after trouble at Make.com, by how often in a row there was some.
const AGAIN_MIN: [i64; 5] = [1, 2, 5, 10, 30];
/// After so many it does not count as waiting any more.
const PATIENT: u32 = 3;
/// When it is tried again after something that wants a person.
const REFUSED: SignedDuration = SignedDuration::from_hours(1);
/// For so long a pull that had to pass something over is tried again as soon.
const FRESH: SignedDuration = SignedDuration::from_hours(3);

/// How an account is given.
const GIVE: &str = "PUT /api/v1/make/account";
/// What a person is told of trouble that is not theirs; the log has the rest.
const OURS: &str = "trouble on our side";
/// Looking where a turn was broken off takes no longer, nor does putting it down.
const PATIENCE: Duration = Duration::from_secs(4);

/// How a turn has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All is read.
    Done,
    /// There is more to read.
    Unfinished,
    /// Make.com is left alone for a while.
    Waiting,
    /// It does not get on.
    Failed,
    /// There is no account any more.
    Over,
    /// Somebody else has it.
    Busy,
}

/// What is put down at the end of a turn.
struct Ending {
    ended: Ended,
    state: State,
    due_at: Timestamp,
    /// What is left.
    work: Option<Work>,
    failures: u32,
    failure: Option<String>,
}

impl Turn<'_> {
    /// Puts down how the turn went.
    pub async fn end(self, work: Work, moved: bool, stop: Option<Stop>) -> Result<Ended> {
        let now = self.time();
        let failures = if moved { 0 } else { self.pull.failures };
        let (progress, begun_at) = (work.progress, work.begun_at);
        let ending = match stop {
            Some(Stop::Ours(error)) => return Err(error),
            Some(Stop::Changed) => return Ok(Ended::Busy),
            Some(Stop::Time) => Ending {
                ended: Ended::Unfinished,
                state: State::Running,
                due_at: now,
                work: Some(work),
                failures: 0,
                failure: None,
            },
            Some(Stop::Make(failure)) => self.troubled(failure, work, failures, now),
            None => self.done(&work, now),
        };
        let success = ending.ended == Ended::Done;
        let notice = self.notice(&ending, now);
        let due_at = match self.tells_at(&ending) {
            Some(at) => ending.due_at.min(at.max(now)),
            None => ending.due_at,
        };
        let change = self.held(|change| {
            let mut change = change
                .set("state", ending.state)
                .set("due_at", due_at)
                .index(Some(key::pulls(due_at)))
                .set("busy_until", 0)
                .set("failures", ending.failures)
                .set_or_remove("work", ending.work.as_ref());
            if ending.work.is_none() {
                change = change.set("last", progress);
            }
            if success {
                change = change.set("last_success_at", now).set("read_to", begun_at).remove("told_failing_at");
            } else if notice.is_some() {
                change = change.set("told_failing_at", now);
            }
            match &ending.failure {
                Some(failure) => {
                    let since = self.pull.failing_since.unwrap_or(now);
                    change.set("failing_since", since).set("failure", failure)
                }
                None if success => change.remove("failing_since").remove("failure"),
                None => change,
            }
        });
        let written = match &notice {
            Some(notice) => self.deps.table.transact().change(change).put(notice).send().await?,
            None => change.write().await?,
        };
        if !written {
            return Ok(Ended::Busy);
        }
        if let Some(notice) = notice {
            notice.tell();
        }
        Ok(ending.ended)
    }

    /// All is read, or all but what could not be.
    fn done(&self, work: &Work, now: Timestamp) -> Ending {
        let morning = Pull::next_morning(&self.zone, work.begun_at).max(now);
        if work.passed_over == 0 {
            let (ended, state) = (Ended::Done, State::Idle);
            return Ending { ended, state, due_at: morning, work: None, failures: 0, failure: None };
        }
        let (n, of) = (work.passed_over, work.progress.scenarios);
        let why = work.why.as_deref().unwrap_or_default();
        let failures = self.pull.failures + 1;
        // It may have been the moment; else it is no better in an hour.
        let is_fresh = self.pull.failing_since.is_none_or(|since| now.duration_since(since) < FRESH);
        Ending {
            ended: Ended::Failed,
            state: State::Failed,
            due_at: if is_fresh { (now + REFUSED).min(morning) } else { morning },
            work: None,
            failures,
            failure: Some(format!("{n} of {of} scenarios could not be read: {why}")),
        }
    }

    fn troubled(&self, failure: Failure, mut work: Work, failures: u32, now: Timestamp) -> Ending {
        tracing::warn!(tenant.id = %self.pull.tenant, error = ?failure, "a pull does not get on: {failure}");
        if let Failure::Busy { wait } = failure {
            let due_at = now + wait;
            let (ended, state) = (Ended::Waiting, State::Waiting);
            return Ending { ended, state, due_at, work: Some(work), failures, failure: None };
        }
        work.stuck += 1;
        let (n, failures) = (failures as usize, failures + 1);
        let (due_in, patient) = match failure {
            Failure::Refused { .. } | Failure::Missing => (REFUSED, false),
            _ => (SignedDuration::from_mins(AGAIN_MIN[n.min(AGAIN_MIN.len() - 1)]), failures < PATIENT),
        };
        let (ended, state) = if patient { (Ended::Waiting, State::Waiting) } else { (Ended::Failed, State::Failed) };
        let failure = match failure {
            Failure::Missing => {
                format!("Make.com knows of no such organisation or team: give the account anew ({GIVE})")
            }
            Failure::Refused { status: 401, .. } => {
                format!("{failure}: give the account anew with a token that Make.com takes ({GIVE})")
            }
            Failure::Refused { .. } => {
                format!("{failure}: give the account anew with a token that may read its scenarios ({GIVE})")
            }
            other => other.to_string(),
        };
        Ending { ended, state, due_at: now + due_in, work: Some(work), failures, failure: Some(failure) }
    }

    /// What a person should know now: that no pull succeeds, and that one does again.
    fn notice(&self, ending: &Ending, now: Timestamp) -> Option<Notice> {
        if ending.ended != Ended::Done {
            return silence(&self.pull, ending.failure.as_deref(), now);
        }
        let detail = "scenarios and their runs are read from Make.com again".into();
        let ended = || Notice::of(self.pull.tenant, "make_pull_failed_ended", "make".into(), detail, now);
        self.pull.told_failing_at.map(|_| ended())
    }

    /// When it is to be told that no pull succeeds, while that is not told.
    fn tells_at(&self, ending: &Ending) -> Option<Timestamp> {
        let is_open = ending.failure.is_some() && self.pull.told_failing_at.is_none();
        let at = self.pull.waits_since() + SILENT;
        (is_open && at > self.time()).then_some(at)
    }
}

/// That no pull succeeds, where it is time to tell and not told yet.
fn silence(pull: &Pull, failure: Option<&str>, now: Timestamp) -> Option<Notice> {
    let since = pull.waits_since();
    if pull.told_failing_at.is_some() || now.duration_since(since) < SILENT {
        return None;
    }
    let why = failure.or(pull.failure.as_deref()).unwrap_or("there is more to read than it takes");
    let detail = format!("nothing was read from Make.com in full since {since:.0}: {why}");
    Some(Notice::of(pull.tenant, "make_pull_failed", "make".into(), detail, now))
}

/// Logs where a turn was broken off by trouble of our own, and puts that down, where the table lets us: tried once. The
/// pull goes on where it was when its lease is over.
pub async fn broken_off(table: &Table, tenant: TenantId, taken: Option<&Pull>, error: &Error, now: Timestamp) {
    let known = timeout(PATIENCE, table.find_now(key::make_pull(tenant))).await;
    let known = known.ok().and_then(Result::ok).flatten();
    let step = known.as_ref().or(taken).and_then(|pull| pull.work.as_ref()).map(|work| &work.step);
    tracing::error!(tenant.id = %tenant, step = ?step, error = ?error, "a pull was broken off: {error}");
    let Some(taken) = taken else { return };
    let put_down = timeout(PATIENCE, put_down(table, taken, now)).await;
    let put_down = put_down.unwrap_or_else(|late| Err(Error::unavailable("table", late)));
    if let Err(error) = put_down {
        tracing::warn!(tenant.id = %tenant, error = ?error, "that a pull was broken off is not put down: {error}");
    }
}

/// Trouble of our own, with the notice where it is time.
async fn put_down(table: &Table, taken: &Pull, now: Timestamp) -> Result<()> {
    let due_at = Timestamp::from_millisecond(taken.busy_until).unwrap_or(now);
    let notice = silence(taken, Some(OURS), now);
    let change = table
        .change(key::make_pull(taken.tenant))
        .set("state", State::Failed)
        .set("due_at", due_at)
        .index(Some(key::pulls(due_at)))
        .set("busy_until", 0)
        .set("failing_since", taken.failing_since.unwrap_or(now))
        .set("failure", OURS)
        .when("revision", taken.revision)
        .when("busy_until", taken.busy_until);
    match notice {
        None => change.write().await.map(drop),
        Some(notice) => {
            let change = change.set("told_failing_at", now);
            if table.transact().change(change).put(&notice).send().await? {
                notice.tell();
            }
            Ok(())
        }
    }
}
