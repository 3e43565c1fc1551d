//! The logs of the scenarios, one after the other: runs go into the ledger, and beside them what Make.com itself counted.

use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use shared::{
    Result, key,
    make::{
        Place,
        api::{Failure, LogPage, LogRow, Used},
        pull::{Log, Step, Work},
    },
    run::{DayUsage, Origin, Run, RunStatus},
    scenario::{Pulled, Scenario},
    table::Page,
};
use tracing::Instrument;

use super::turn::{Next, Stop, Turn};
use crate::{ledger, webhook::parts};

/// A run is logged when it has ended, under the time at which it began: what is read begins so long before the end of what
/// was read. No run takes longer than 40 minutes.
const OVERLAP: SignedDuration = SignedDuration::from_hours(2);
/// So far back the first pull reaches, or as far as the log does.
const FIRST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A scenario is passed over that could not be read so often in a row.
const TRIES: u32 = 3;
/// So many scenarios are read from the table at a time.
const AHEAD: u16 = 50;
/// What is longer or more than this is no id and no count of a run.
const LONGEST_ID: usize = 128;
const MOST: u64 = 1_000_000_000_000;
/// So many days that Make.com counted are kept at once: twice as many as it tells.
const DAYS: usize = 60;

/// What a row of a log is.
enum Row {
    /// A run that has ended.
    Run(Box<Run>),
    /// A run that has not, or none at all.
    Other,
    /// A run without an id, that ended in no known way, or that counts beyond all measure.
    Unreadable,
}

impl Turn<'_> {
    /// A page of the log of the next scenario; behind the last page, what it used.
    pub async fn read(&mut self, work: &mut Work, after: Option<String>, log: Option<Log>) -> Result<Next, Stop> {
        let Some(scenario) = self.next(after.clone()).await? else { return Ok(Next::Done) };
        let span = tracing::info_span!("log", scenario.id = scenario.id);
        let is_absent = work.absent.contains(&scenario.id);
        match self.page(work, &scenario, after, log, is_absent).instrument(span).await {
            Ok(()) => Ok(Next::Page),
            // What is not in the list and refused is not there for this token.
            Err(Stop::Make(Failure::Refused { status: 403, .. })) if is_absent => {
                self.lose(&scenario).await?;
                self.is_done(work, &scenario.id);
                Ok(Next::Page)
            }
            Err(Stop::Make(Failure::Missing)) => {
                self.lose(&scenario).await?;
                self.is_done(work, &scenario.id);
                Ok(Next::Page)
            }
            Err(Stop::Make(failure)) if is_its_own(&failure, work) => {
                tracing::warn!(
                    tenant.id = %self.pull.tenant, scenario.id, error = ?failure, "a scenario of Make.com was passed over"
                );
                let why = || format!("{} ({}): {failure}", scenario.name, scenario.id);
                work.why.get_or_insert_with(why);
                work.passed_over += 1;
                self.is_behind(work, &scenario.id);
                Ok(Next::PassedOver)
            }
            Err(stop) => Err(stop),
        }
    }

    /// The next scenario to be read: one that Make.com has listed, and that belongs to the account.
    async fn next(&mut self, after: Option<String>) -> Result<Option<Scenario>> {
        if self.ahead.behind.is_none() {
            self.ahead.behind = after;
        }
        while self.ahead.rows.is_empty() && !self.ahead.ended {
            let page = Page { limit: AHEAD, after: self.ahead.behind.take(), newest_first: false };
            let found = self.deps.table.list(&key::scenarios(self.pull.tenant), page).await?;
            (self.ahead.ended, self.ahead.behind) = (found.more.is_none(), found.more);
            for scenario in found.rows {
                let Some(told) = scenario.told.as_ref().filter(|told| told.gone_since.is_none()) else { continue };
                match (self.place, told.team) {
                    (Place::Team(ours), Some(team)) if team != ours => self.lose(&scenario).await?,
                    _ => self.ahead.rows.push_back(scenario),
                }
            }
        }
        Ok(self.ahead.rows.front().cloned())
    }

    async fn page(
        &mut self,
        work: &mut Work,
        scenario: &Scenario,
        after: Option<String>,
        log: Option<Log>,
        is_absent: bool,
    ) -> Result<(), Stop> {
        let number: u64 = scenario.id.parse().map_err(|_| Failure::Missing)?;
        let earliest = work.begun_at - FIRST;
        let known_to = scenario.pulled.map(|pulled| self.pull.read_to.map_or(pulled.to, |to| to.max(pulled.to)));
        let from = known_to.map_or(earliest, |to| (to - OVERLAP).max(earliest));
        let begin = Log { scenario: scenario.id.clone(), from, last: None, news: false };
        let mut log = log.filter(|log| log.scenario == scenario.id).unwrap_or(begin);
        let between = (!self.pull.unbounded).then_some((log.from, work.begun_at));

        let page = self.deps.api.log(&self.caller, number, between, log.last.as_deref()).await?;
        let is_past = is_past(&page, &log, work.begun_at);
        let within = |row: &&LogRow| (log.from..=work.begun_at).contains(&row.timestamp);
        let rows: Vec<&LogRow> = page.rows.iter().filter(within).collect();
        let is_news = rows.iter().any(|row| known_to.is_none_or(|to| row.timestamp >= to));
        let (mut runs, mut unreadable) = (Vec::new(), 0);
        for row in rows {
            match self.run(&scenario.id, row) {
                Row::Run(run) => runs.push(*run),
                Row::Other => {}
                Row::Unreadable => unreadable += 1,
            }
        }
        if unreadable > 0 {
            tracing::warn!(
                tenant.id = %self.pull.tenant, scenario.id, rows = unreadable,
                "runs of Make.com without an id, ended in no known way or counting beyond all measure were passed over"
            );
        }
        work.progress.rows_passed_over += (page.told - page.rows.len() + unreadable) as u64;
        work.progress.runs_read += runs.len() as u64;
        let recorded = ledger::record(&self.deps.table, self.pull.tenant, runs, self.time()).await?;
        work.progress.runs_new += recorded.new as u64;
        work.progress.runs_corrected += recorded.corrected as u64;
        log.news |= is_news || recorded.new + recorded.corrected > 0;
        if page.more && !is_past {
            log.last = page.last;
            work.step = Step::Reading { after, log: Some(log) };
            return Ok(());
        }

        let moved = scenario.pulled.is_none_or(|pulled| pulled.moves);
        if log.news || moved {
            let used = self.deps.api.usage(&self.caller, number).await?;
            if scenario.pulled.is_none() && !log.news && self.is_blind(number, &log, &used, work.begun_at).await? {
                work.step = Step::Reading { after, log: None };
                return Ok(());
            }
            self.count(&scenario.id, &log, used).await?;
            let pulled = Pulled { to: work.begun_at, moves: log.news };
            let change = self.deps.table.change(key::scenario(self.pull.tenant, &scenario.id));
            change.set("pulled", pulled).when_there().write().await?;
        }
        if is_absent {
            // Its log was read once more, to the end, and is read anew when it is listed again.
            self.lose(scenario).await?;
        }
        self.is_done(work, &scenario.id);
        Ok(())
    }

    /// Whether a log that shows nothing between two times shows something when it is asked without them. From then on all
    /// logs of the account are asked so.
    async fn is_blind(&mut self, scenario: u64, log: &Log, used: &[Used], to: Timestamp) -> Result<bool, Stop> {
        if self.pull.unbounded || used.iter().all(|used| used.operations.unwrap_or_default() == 0) {
            return Ok(false);
        }
        let page = self.deps.api.log(&self.caller, scenario, None, None).await?;
        if !page.rows.iter().any(|row| (log.from..=to).contains(&row.timestamp)) {
            return Ok(false);
        }
        tracing::warn!(tenant.id = %self.pull.tenant, "Make.com's log shows nothing between two times, and is read without");
        self.pull.unbounded = true;
        if self.held(|change| change.set("unbounded", true)).write().await? { Ok(true) } else { Err(Stop::Changed) }
    }

    /// Keeps what Make.com counted on the days that the log was read of, the one before and the one to come: its days may
    /// be others.
    async fn count(&self, scenario: &str, log: &Log, used: Vec<Used>) -> Result<()> {
        let since = log.from.to_zoned(TimeZone::UTC).date().saturating_sub(1.day());
        let days = since..=self.time().to_zoned(TimeZone::UTC).date().saturating_add(1.day());
        for used in used.into_iter().filter(|used| days.contains(&used.date)).take(DAYS) {
            let [operations, centicredits, transfer] =
                [used.operations, used.centicredits, used.data_transfer].map(Option::unwrap_or_default);
            let usage = DayUsage { operations, centicredits, transfer };
            let is_one = operations.max(centicredits) > 0 && operations.max(centicredits).max(transfer) <= MOST * 1_000;
            if is_one {
                ledger::count(&self.deps.table, self.pull.tenant, scenario, used.date, usage, self.time()).await?;
            }
        }
        Ok(())
    }

    /// The row of a log as a run, where it is one that has ended.
    fn run(&self, scenario: &str, row: &LogRow) -> Row {
        let status = match row.status {
            None | Some(0) => return Row::Other,
            Some(1) => RunStatus::Success,
            Some(2) => RunStatus::Warning,
            Some(3) => RunStatus::Error,
            Some(_) => return Row::Unreadable,
        };
        let Some(id) = id(scenario, row) else { return Row::Unreadable };
        let counts = [row.operations, row.centicredits, row.transfer, row.duration];
        if counts.iter().flatten().any(|count| *count > MOST) {
            return Row::Unreadable;
        }
        let (date, hour) = ledger::place(&self.zone, row.timestamp);
        Row::Run(Box::new(Run {
            tenant: self.pull.tenant,
            scenario: scenario.into(),
            id: id.to_owned(),
            started_at: row.timestamp,
            date,
            hour,
            status,
            operations: row.operations.unwrap_or_default(),
            centicredits: row.centicredits,
            transfer: row.transfer.unwrap_or_default(),
            duration_ms: row.duration,
            cost: None,
            origin: Origin::Pulled,
            trace: None,
            revision: 0,
            told_at: self.time(),
        }))
    }

    fn is_done(&mut self, work: &mut Work, scenario: &str) {
        work.progress.scenarios_done += 1;
        self.is_behind(work, scenario);
    }

    fn is_behind(&mut self, work: &mut Work, scenario: &str) {
        self.ahead.rows.pop_front();
        work.step = Step::Reading { after: Some(scenario.into()), log: None };
    }
}

/// The id of a run, or what its place in the log ends with: as the webhook takes it.
fn id<'r>(scenario: &str, row: &'r LogRow) -> Option<&'r str> {
    let is_id = |id: &&str| (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_graphic());
    let of_place = || parts(row.imt_id.as_deref()?).filter(|(of, _)| *of == scenario).map(|(_, id)| id);
    row.id.as_deref().filter(is_id).or_else(|| of_place().filter(is_id))
}

/// Whether the pages of a log have left the stretch: where Make.com takes no notice of its bounds, they go on to the end.
fn is_past(page: &LogPage, log: &Log, to: Timestamp) -> bool {
    let beyond = |row: &LogRow| if page.latest_first { row.timestamp < log.from } else { row.timestamp > to };
    !page.rows.is_empty() && page.rows.iter().all(beyond)
}

/// Whether it is the scenario that cannot be read, and not Make.com: others still could, or it has been tried enough.
fn is_its_own(failure: &Failure, work: &Work) -> bool {
    let (tries, others_could) = (work.stuck + 1, !work.just_passed);
    match failure {
        Failure::Refused { status: 403, .. } => others_could || tries >= TRIES,
        Failure::Odd(_) => (others_could && tries > 1) || tries >= TRIES,
        Failure::Down(_) => tries >= TRIES,
        Failure::Refused { .. } | Failure::Missing | Failure::Busy { .. } | Failure::Ours(_) => false,
    }
}
