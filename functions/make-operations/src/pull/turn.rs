//! One turn of a pull: page by page, each put down with what it came to.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use shared::{
    Error, Result, key,
    make::{
        Place,
        api::{Caller, Failure},
        pull::{Progress, Pull, Step, Work},
    },
    scenario::Scenario,
    table::Change,
    tenant::Zone,
};

use super::{Deps, end::Ended};

/// A turn of a pull, by whoever holds its lease.
pub struct Turn<'a> {
    pub deps: &'a Deps,
    /// What of Make.com is read.
    pub place: Place,
    /// Who asks for it.
    pub caller: Caller,
    /// The tenant's days.
    pub zone: Zone,
    /// The pull, as the lease was taken.
    pub pull: Pull,
    /// When the turn began.
    pub now: Timestamp,
    /// The same, to tell how long it takes.
    pub begun: Instant,
    /// After so long it takes no further page.
    pub share: Duration,
    /// All scenarios that are known, once the list is read.
    pub known: Option<HashMap<String, Scenario>>,
    /// The list is read from its beginning in this turn: what is left in `known` behind its end is not in it.
    pub is_whole: bool,
    /// The scenarios whose logs are read next.
    pub ahead: Ahead,
}

/// Scenarios that were read from the table ahead.
#[derive(Default)]
pub struct Ahead {
    pub rows: VecDeque<Scenario>,
    /// Behind which one there are more.
    pub behind: Option<String>,
    /// There are none.
    pub ended: bool,
}

/// What a step has come to.
pub enum Next {
    /// A page is read.
    Page,
    /// A scenario that cannot be read is passed over.
    PassedOver,
    /// All is read.
    Done,
}

/// Why a turn does not go on.
pub enum Stop {
    /// Its time is up.
    Time,
    /// Make.com does not answer as it should.
    Make(Failure),
    /// Another account was given, or the lease is over.
    Changed,
    /// It is our own trouble.
    Ours(Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Ours(error) => Self::Ours(error),
            failure => Self::Make(failure),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Turn<'_> {
    /// Goes on where the one before has left it, and puts down how it went.
    pub async fn make(mut self) -> Result<Ended> {
        let begin = Work {
            begun_at: self.now,
            step: Step::Listing { offset: 0, first: None },
            progress: Progress::default(),
            passed_over: 0,
            why: None,
            absent: Vec::new(),
            stuck: 0,
            just_passed: false,
        };
        let mut work = self.pull.work.take().unwrap_or(begin);
        let (was, earlier) = (work.step.clone(), work.progress.requests);
        let stop = self.go_on(&mut work, earlier).await;
        work.progress.requests = earlier + u64::from(self.caller.asked());
        let moved = work.step != was;
        self.end(work, moved, stop.err()).await
    }

    /// All that is left, page by page.
    async fn go_on(&mut self, work: &mut Work, earlier: u64) -> Result<(), Stop> {
        loop {
            let next = match work.step.clone() {
                Step::Listing { offset, first } => self.list(work, offset, first).await?,
                Step::Reading { after, log } => self.read(work, after, log).await?,
            };
            (work.stuck, work.just_passed) = (0, matches!(next, Next::PassedOver));
            if matches!(next, Next::Done) {
                return Ok(());
            }
            work.progress.requests = earlier + u64::from(self.caller.asked());
            if !self.held(|change| change.set("work", &*work)).write().await? {
                return Err(Stop::Changed);
            }
            if self.begun.elapsed() >= self.share {
                return Err(Stop::Time);
            }
        }
    }

    /// A change of the pull that counts only while the lease is ours and the account the same.
    pub fn held<'t>(&'t self, further: impl FnOnce(Change<'t, Pull>) -> Change<'t, Pull>) -> Change<'t, Pull> {
        let change = self.deps.table.change(key::make_pull(self.pull.tenant));
        further(change).when("revision", self.pull.revision).when("busy_until", self.pull.busy_until)
    }

    /// What time it is by now.
    pub fn time(&self) -> Timestamp {
        self.now + self.begun.elapsed()
    }
}
