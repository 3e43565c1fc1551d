//! The ledger of runs: each counted once, by its id, in one transaction with the counters of its day.
//!
//! A run that is told of again changes its day by the difference: nothing, mostly. Make.com's log overrules what a webhook
//! said, and no webhook overrules the log; of two equals the later one counts. What the one leaves open, cost or trace or
//! credits, stays as the other has said it. Before anything is written the days are noted that have to be folded again: a
//! worker killed in between has noted one in vain.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use jiff::{Timestamp, civil::Date};
use shared::{
    Error, Result,
    id::TenantId,
    key,
    run::{Counters, DayUsage, Run, RunDay},
    sheet::Unfolded,
    table::{Change, Row, Table},
    tenant::Zone,
};

/// A transaction takes so many writes (quota of `TransactWriteItems`).
const TOGETHER: usize = 100;
/// A run is at most so many of them: itself, the day that it counts for, and the one that it did count for.
const MOST: usize = 3;
/// How often runs are tried that others write at the same time.
const TRIES: u32 = 12;

/// What became of runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Not known before.
    pub new: usize,
    /// Known, and told of differently.
    pub corrected: usize,
    /// Known, and nothing new about them.
    pub repeated: usize,
}

/// The day that a moment counts for, and the hours since that day began.
pub fn place(zone: &Zone, at: Timestamp) -> (Date, u8) {
    let there = at.to_zoned(zone.rules().clone());
    let begun = there.start_of_day().map_or(at, |start| start.timestamp());
    (there.date(), u8::try_from(at.duration_since(begun).as_hours()).unwrap_or_default())
}

/// Writes runs of a tenant into the ledger, over a consistent table. Killed half-way, what is written is counted, and the
/// rest is as if it had never come.
pub async fn record(table: &Table, tenant: TenantId, runs: Vec<Run>, now: Timestamp) -> Result<Recorded> {
    let mut recorded = Recorded::default();
    let mut once: BTreeMap<(Date, String, String), Run> = BTreeMap::new();
    let mut places: HashMap<(String, String), Date> = HashMap::new();
    for run in runs {
        let named = (run.scenario.clone(), run.id.clone());
        let earlier = places.get(&named).and_then(|date| once.remove(&(*date, named.0.clone(), named.1.clone())));
        recorded.repeated += usize::from(earlier.is_some());
        let run = earlier.map_or_else(|| run.clone(), |earlier| said(&run, &earlier));
        places.insert(named, run.date);
        // Runs of one day lie together, and touch its counters once.
        once.insert((run.date, run.scenario.clone(), run.id.clone()), run);
    }
    for chunk in chunks(once.into_values()) {
        let more = together(table, tenant, &chunk, now).await?;
        recorded.new += more.new;
        recorded.corrected += more.corrected;
        recorded.repeated += more.repeated;
    }
    Ok(recorded)
}

/// As many runs as fit into one transaction with their days.
fn chunks(runs: impl Iterator<Item = Run>) -> Vec<Vec<Run>> {
    let mut chunks: Vec<Vec<Run>> = Vec::new();
    let mut room = 0;
    for run in runs {
        let same_day = |other: &Run| (other.date, &other.scenario) == (run.date, &run.scenario);
        let known_day = chunks.last().and_then(|chunk| chunk.last()).is_some_and(same_day);
        // A correction that moves a run to another day is rare, and finds room all the same.
        let needs = if known_day { MOST - 1 } else { MOST };
        match chunks.last_mut().filter(|_| room >= needs) {
            Some(chunk) => {
                room -= needs;
                chunk.push(run);
            }
            None => {
                room = TOGETHER - MOST;
                chunks.push(vec![run]);
            }
        }
    }
    chunks
}

async fn together(table: &Table, tenant: TenantId, runs: &[Run], now: Timestamp) -> Result<Recorded> {
    let keys: Vec<_> = runs.iter().map(Run::key).collect();
    let mut last = Error::unavailable("table", "others write the same runs all the time");
    for attempt in 0..TRIES {
        let known = table.find_all(&keys).await?.into_iter();
        let plan = Plan::of(runs, &known.map(|run: Run| ((run.scenario.clone(), run.id.clone()), run)).collect());
        if plan.runs.is_empty() {
            return Ok(plan.recorded);
        }
        for date in plan.days.keys().map(|(date, _)| *date).collect::<BTreeSet<_>>() {
            note(table, tenant, date, now).await?;
        }
        match plan.write(table, tenant, now).await {
            Ok(true) => return Ok(plan.recorded),
            Ok(false) => {}
            // Two writes met, or the answer was lost: what is stored tells.
            Err(error) if error.is_transient() => last = error,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(1..=20 * u64::from(attempt + 1)))).await;
    }
    Err(last)
}

/// Notes that a day has to be folded again: what is told of it is written right after.
pub async fn note(table: &Table, tenant: TenantId, date: Date, now: Timestamp) -> Result<()> {
    table.put(&Unfolded { tenant, date, noted_ms: now.as_millisecond() }).await
}

/// Stores what Make.com's own count of a day says, in place of what it said before. Whether that is news.
pub async fn count(
    table: &Table,
    tenant: TenantId,
    scenario: &str,
    date: Date,
    usage: DayUsage,
    now: Timestamp,
) -> Result<bool> {
    if table.find(key::run_day(tenant, date, scenario)).await?.is_some_and(|day| day.usage == Some(usage)) {
        return Ok(false);
    }
    note(table, tenant, date, now).await?;
    day(table, tenant, date, scenario, now).set("usage", usage).write().await
}

fn day<'t>(table: &'t Table, tenant: TenantId, date: Date, scenario: &str, now: Timestamp) -> Change<'t, RunDay> {
    let change = table.change(key::run_day(tenant, date, scenario)).or_new();
    change.set("tenant", tenant).set("scenario", scenario).set("date", date).set("told_at", now)
}

/// What two tellings of a run come to: Make.com's log has the last word, or else whoever told of it last; what that leaves
/// open stays as the other has said it, whichever came first.
fn said(run: &Run, known: &Run) -> Run {
    let is_last = (run.origin, run.told_at) >= (known.origin, known.told_at);
    let (last, other) = if is_last { (run, known) } else { (known, run) };
    Run {
        centicredits: last.centicredits.or(other.centicredits),
        duration_ms: last.duration_ms.or(other.duration_ms),
        cost: last.cost.or(other.cost),
        trace: last.trace.or(other.trace),
        ..last.clone()
    }
}

/// Whether anything of it is news.
fn is_news(run: &Run, known: &Run) -> bool {
    let told = |run: &Run| Run { revision: 0, told_at: Timestamp::UNIX_EPOCH, ..run.clone() };
    told(run) != told(known)
}

/// What is to be written: runs, and how they change their days.
#[derive(Default)]
struct Plan {
    /// Each with the revision that it had, where it was known.
    runs: Vec<(Run, Option<u32>)>,
    days: BTreeMap<(Date, String), BTreeMap<String, i64>>,
    recorded: Recorded,
}

impl Plan {
    fn of(runs: &[Run], known: &HashMap<(String, String), Run>) -> Self {
        let mut plan = Self::default();
        for run in runs {
            let earlier = known.get(&(run.scenario.clone(), run.id.clone()));
            let run = &earlier.map_or_else(|| run.clone(), |earlier| said(run, earlier));
            match earlier {
                None => {
                    plan.recorded.new += 1;
                    plan.add(run, run.counters().less(&Counters::default()));
                    plan.runs.push((run.clone(), None));
                }
                Some(earlier) if !is_news(run, earlier) => plan.recorded.repeated += 1,
                Some(earlier) => {
                    plan.recorded.corrected += 1;
                    if earlier.date == run.date {
                        plan.add(run, run.counters().less(&earlier.counters()));
                    } else {
                        plan.add(run, run.counters().less(&Counters::default()));
                        plan.add(earlier, Counters::default().less(&earlier.counters()));
                    }
                    let corrected = Run { revision: earlier.revision + 1, ..run.clone() };
                    plan.runs.push((corrected, Some(earlier.revision)));
                }
            }
        }
        plan
    }

    fn add(&mut self, run: &Run, more: BTreeMap<String, i64>) {
        let day = self.days.entry((run.date, run.scenario.clone())).or_default();
        for (field, n) in more {
            *day.entry(field).or_default() += n;
        }
    }

    async fn write(&self, table: &Table, tenant: TenantId, now: Timestamp) -> Result<bool> {
        let mut writes = table.transact();
        for (run, revision) in &self.runs {
            writes = match revision {
                None => writes.create(run),
                Some(revision) => writes.replace(run, "revision", revision),
            };
        }
        for ((date, scenario), more) in &self.days {
            let change = day(table, tenant, *date, scenario, now);
            writes = writes.change(more.iter().fold(change, |change, (field, n)| change.add(field, n)));
        }
        writes.send().await
    }
}
