//! One source is compared: its tables page by page, each page and its counts put down together.
//!
//! A stretch of a table begins a little before the end of the one before, for a row shows the time at which its
//! transaction began and appears when it ends; and it ends a little before now, for webhooks are under way. Within it
//! rows come in the order of their cursor, then of their id. Killed anywhere, the next run reads the last page again:
//! events that were made are recognised, and nothing of the page was counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp, civil::Date};
use shared::{
    Error, Result,
    egress::Silence,
    key, metrics,
    notice::Notice,
    source::{Day, Lately, Mark, Source, Watched},
    table::Change,
    tenant::Zone,
};
use tokio::time::timeout;

use crate::{
    compare::{Compared, Comparison},
    fault::Fault,
    postgrest::{Found, Postgrest, Stretch},
    reconcile::Deps,
};

/// So many rows a page, and so many pages of a table a run.
const ROWS: u16 = 500;
const PAGES: u32 = 20;
/// So many events made, and a turn takes no further page: a source may not send more through us than others may themselves.
const MADE: usize = 2_000;
/// The turn after such a one is due after this.
const AFTER_MANY: SignedDuration = SignedDuration::from_mins(1);
/// So many days a page: each is written with it, and a transaction takes 100 items (docs.aws.amazon.com, DynamoDB,
/// `TransactWriteItems`).
const DAYS: usize = 60;
/// How far a stretch reaches back into the one before: a transaction that takes longer is not seen.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// A stretch that would be shorter is left to the next run: it would mostly read what the one before did.
const SHORTEST: SignedDuration = SignedDuration::from_mins(5);
/// What changed a moment ago is left to its webhook.
pub const SETTLE: SignedDuration = SignedDuration::from_mins(2);
/// A source that was compared is due again after this: at the next beat of the schedule, that is.
const AGAIN: SignedDuration = SignedDuration::from_mins(5);
/// It is said that a source cannot be read after so many runs.
const TOLD_AFTER: u32 = 3;

/// One run over one source, by whoever holds its lease.
pub struct Run<'a> {
    /// What is needed.
    pub deps: &'a Deps,
    /// The source, as the lease was taken.
    pub source: Source,
    /// The tenant's days.
    pub zone: Zone,
    /// When the run began.
    pub now: Timestamp,
    /// The same, to tell how long it takes.
    pub begun: Instant,
    /// After so long it leaves the rest to the next one.
    pub share: Duration,
    /// The source is given up that has not answered so long after the beginning.
    pub patience: Duration,
    /// So many events it has made.
    pub made: usize,
}

/// Why a run does not go on.
#[derive(Debug)]
pub enum Stop {
    /// The source cannot be read.
    Fault(Fault),
    /// A person has changed the source, or the lease is over.
    Changed,
    /// It is our own trouble.
    Error(Error),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// All is compared, up to a moment ago.
    Done,
    /// There is more than fits into a run.
    Unfinished,
    /// The source could not be read.
    Failed,
    /// Somebody else is at it, or it has changed meanwhile.
    Busy,
}

impl<'a> Run<'a> {
    /// Compares the source, and puts down how it went.
    pub async fn make(mut self) -> Result<Turn> {
        let (mut finished, mut fault, mut at_end) = (true, None, Vec::new());
        let mut tables = self.source.tables.clone();
        // One that fails and takes all the time does not always come first.
        let first = self.source.failures as usize % tables.len().max(1);
        tables.rotate_left(first);
        for (n, watched) in tables.iter().enumerate() {
            if n > 0 && self.is_over() {
                finished = false;
                break;
            }
            let before = self.mark(watched).compared_at;
            match self.table(watched).await {
                Ok(all) => {
                    finished &= all;
                    if self.mark(watched).compared_at > before {
                        at_end.push((watched, before));
                    }
                }
                Err(Stop::Fault(found)) => {
                    let others_too = !found.is_of_table();
                    fault.get_or_insert(found);
                    if others_too {
                        break;
                    }
                }
                Err(Stop::Changed) => return Ok(Turn::Busy),
                Err(Stop::Error(error)) => return Err(error),
            }
        }
        let mut notices = self.judge_webhooks(&tables);
        if fault.is_none() && !self.is_over() {
            notices.extend(self.judge_rows(&at_end).await?);
        }
        notices.extend(self.notice(fault.as_ref()));
        self.end(finished, fault, notices).await
    }

    /// Whether all of a table is compared. That a stretch is at its end is put down with the next page or the end of the
    /// run.
    async fn table(&mut self, watched: &Watched) -> Result<bool, Stop> {
        let interface = self.interface().await?;
        for _ in 0..PAGES {
            let mut mark = self.mark(watched);
            let Some(to) = mark.to else { return Ok(true) };
            let stretch = Stretch { from: mark.from, to, behind: mark.at.as_ref() };
            let left = self.patience.saturating_sub(self.begun.elapsed());
            let read = timeout(left, interface.page(watched, &stretch, ROWS)).await;
            let rows = self.of_few_days(watched, read.map_err(|_| Fault::Unreachable(Silence::Timeout))??)?;
            match rows.last().map(|row| row.at.clone()) {
                None => {
                    let (compared_to, compared_at) = (Some(to), Some(self.time()));
                    mark = Mark { to: None, at: None, compared_to, compared_at, ..mark };
                    self.source.marks.insert(watched.table.clone(), mark);
                }
                Some(last) => {
                    let Compared { days, lately, made } = self.comparison(watched, &mark).page(rows).await?;
                    self.made += made;
                    mark.at = Some(last);
                    mark.lately.merge(&lately);
                    self.source.marks.insert(watched.table.clone(), mark);
                    self.tell(watched, &lately);
                    // Where there is nothing to count, the place may as well be put down later.
                    if !days.is_empty() && !self.put_down(days, &[], |change| change).await? {
                        return Err(Stop::Changed);
                    }
                }
            }
            if self.is_over() {
                break;
            }
        }
        Ok(self.mark(watched).to.is_none())
    }

    /// Whether the rest is left to the next turn.
    fn is_over(&self) -> bool {
        self.made >= MADE || self.begun.elapsed() >= self.share
    }

    /// A page up to where it has too many days.
    fn of_few_days(&self, watched: &Watched, mut rows: Vec<Found>) -> Result<Vec<Found>, Fault> {
        let mut days = BTreeSet::new();
        let mut fitting = 0;
        for row in &rows {
            days.insert(row.time(watched)?.to_zoned(self.zone.rules().clone()).date());
            if days.len() > DAYS {
                break;
            }
            fitting += 1;
        }
        rows.truncate(fitting);
        Ok(rows)
    }

    /// The way to the source.
    pub async fn interface(&self) -> Result<Postgrest<'a>, Stop> {
        let keyring = self.deps.vault.keyring().await?;
        let secret = keyring.open(Source::place(&self.source.tenant.to_string()), &self.source.key)?;
        Ok(Postgrest::new(&self.deps.egress, &self.source.base_url, secret)?)
    }

    fn comparison<'c>(&'c self, watched: &'c Watched, mark: &'c Mark) -> Comparison<'c> {
        let (table, source, zone) = (&self.deps.table, &self.source, &self.zone);
        Comparison { table, source, watched, mark, zone, now: self.time() }
    }

    /// How far the table was compared, with the stretch that is due; without one where it is too early for one.
    pub fn mark(&self, watched: &Watched) -> Mark {
        let (since, of) = (self.source.since, mark_of(&self.source.base_url, watched));
        let earlier = marked(&self.source, watched).cloned().unwrap_or_default();
        let goes_on = earlier.of == of && earlier.since == since;
        if goes_on && earlier.to.is_some() {
            return earlier;
        }
        // One that begins anew at another time has still been counted up to where it was.
        let (from, not_before) = match earlier.compared_to {
            Some(behind) if goes_on => ((behind - OVERLAP).max(since), behind + SHORTEST),
            _ => (since, since),
        };
        let to = Some(to_the_microsecond(self.now - SETTLE)).filter(|to| *to > not_before);
        Mark { of, since, from, to, at: None, ..earlier }
    }

    /// The marks as they are now, and what is to be counted: all or nothing, and only while the lease is ours and the
    /// source what it was.
    async fn put_down<'t>(
        &'t self,
        days: BTreeMap<Date, Day>,
        notices: &[Notice],
        further: impl FnOnce(Change<'t, Source>) -> Change<'t, Source>,
    ) -> Result<bool> {
        let table = &self.deps.table;
        let change = table
            .change(key::source(self.source.tenant))
            .set("marks", &self.source.marks)
            .when("revision", self.source.revision)
            .when("busy_until", self.source.busy_until);
        let mut transaction = table.transact().change(further(change));
        for (date, found) in days {
            // Nobody else writes it while we hold the lease.
            let stored = table.find_now(key::completeness_day(self.source.tenant, date)).await?;
            let mut day = stored.unwrap_or_else(|| Day::new(self.source.tenant, date));
            day.merge(&found)?;
            transaction = transaction.put(&day);
        }
        for notice in notices {
            transaction = transaction.put(notice);
        }
        transaction.send().await
    }

    async fn end(self, finished: bool, fault: Option<Fault>, notices: Vec<Notice>) -> Result<Turn> {
        let Source { tenant, failures, failing_since, .. } = self.source;
        let pause = match &fault {
            Some(Fault::Busy { retry_after: Some(seconds) }) => {
                AGAIN.max(SignedDuration::from_secs((*seconds).min(86_400).cast_signed()))
            }
            None if !finished && self.made >= MADE => AFTER_MANY,
            None if !finished => SignedDuration::ZERO,
            _ => AGAIN,
        };
        let due_at = self.time() + pause;
        let date = self.now.to_zoned(self.zone.rules().clone()).date();
        let run = Day { runs: 1, failures: u64::from(fault.is_some()), ..Day::new(tenant, date) };
        let since = failing_since.unwrap_or(self.now);
        let ended = self
            .put_down(BTreeMap::from([(date, run)]), &notices, |change| {
                let change = change
                    .set("busy_until", 0)
                    .set("due_at", due_at)
                    .index(Some(key::source_due(due_at)))
                    .set("last_run_at", self.now);
                match &fault {
                    Some(fault) => {
                        change.set("failures", failures + 1).set("failing_since", since).set("fault", fault.noted())
                    }
                    None => change
                        .set("failures", 0)
                        .remove("failing_since")
                        .remove("fault")
                        .set("last_success_at", self.now),
                }
            })
            .await?;
        if ended {
            notices.iter().for_each(Notice::tell);
        }
        Ok(match fault {
            _ if !ended => Turn::Busy,
            Some(fault) => {
                // By name alone: the words are partly the source's, and may say what its rows do.
                tracing::warn!(tenant.id = %tenant, fault = fault.name(), "a source was not compared");
                metrics::count("SourceFailures", 1);
                Turn::Failed
            }
            None if finished => Turn::Done,
            None => Turn::Unfinished,
        })
    }

    /// What a person should know now: that the source cannot be read for a while, and that it can again.
    fn notice(&self, fault: Option<&Fault>) -> Option<Notice> {
        let Source { tenant, base_url, failures, .. } = &self.source;
        let (name, detail) = match fault {
            Some(fault) if failures + 1 == TOLD_AFTER => {
                let why = fault.name();
                (
                    "source_failing",
                    format!("{base_url} cannot be compared with what came in: {why}; the source tells more"),
                )
            }
            None if *failures >= TOLD_AFTER => {
                ("source_recovered", format!("{base_url} can be compared with what came in again"))
            }
            _ => return None,
        };
        Some(Notice::of(*tenant, name, tenant.to_string(), detail, self.now))
    }

    /// Says how complete a page was, without history. Metrics have no tenant, so the log names it.
    fn tell(&self, watched: &Watched, lately: &Lately) {
        let (live, repaired) = lately.both();
        if live + repaired == 0 {
            return;
        }
        metrics::percent("Completeness", 100.0 * live as f64 / (live + repaired) as f64);
        metrics::count("EventsRepaired", repaired);
        if repaired > 0 {
            let (tenant, table) = (self.source.tenant, &watched.table);
            tracing::info!(tenant.id = %tenant, table, repaired, live, "events that nobody reported were made");
        }
    }

    fn time(&self) -> Timestamp {
        self.now + self.begun.elapsed()
    }
}

/// As exact as Postgres is: what it rounded would be on both sides of a mark.
pub fn to_the_microsecond(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// How far a table of a source was compared, as it is set now.
pub fn marked<'s>(source: &'s Source, watched: &Watched) -> Option<&'s Mark> {
    source.marks.get(&watched.table).filter(|mark| mark.of == mark_of(&source.base_url, watched))
}

/// What a mark is a mark of.
fn mark_of(base_url: &str, watched: &Watched) -> String {
    let Watched { table, cursor_column, id_column } = watched;
    format!("{base_url} {table} by {cursor_column}, {id_column}")
}
