//! Queue of jobs: one page of a job a message, then the message of the next page.
//!
//! A page may be worked on twice, by two workers at once or again after a kill. What is done to a delivery is therefore
//! conditional, and bears the job's name: no job starts the same delivery twice, however quickly that one fails again.

use std::{collections::HashMap, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use shared::{
    Result,
    boot::{Aws, Missing},
    delivery::Delivery,
    id::EndpointId,
    job::{self, Job, Progress, State, Work},
    key, metrics,
    queue::Queue,
    table::{self, Row, Table},
};

use super::{MOST, range, wants};
use crate::retry;

/// A page looks at so many deliveries: so many a query, and so many queries.
const LOOKED_AT: u16 = 100;
const QUERIES: usize = 10;
/// A page starts so many again, or forgets so many.
const STARTED: u64 = 50;
const FORGOTTEN: u64 = 200;
/// So many are forgotten at the same time.
const AT_ONCE: usize = 8;
/// An endpoint at its full pace is sent so many replays a second: a third of what Make.com takes in the long run, so that
/// what happens meanwhile finds room. At a slower pace, as much less.
const A_SECOND: f64 = 5.0;
/// A page takes no longer than this: a message is held back a quarter of an hour at most.
const LONGEST: Duration = Duration::from_secs(300);

/// What going on with a job needs.
pub struct Deps {
    /// The table, read as it is after every write.
    table: Table,
    /// Deliveries to be tried.
    deliveries: Queue,
    /// Jobs to go on with.
    jobs: Queue,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self::new(aws.table()?, aws.queue("DELIVERY_QUEUE_URL")?, aws.queue("DELIVERY_JOBS_URL")?))
    }

    /// With what it is given.
    pub fn new(table: Table, deliveries: Queue, jobs: Queue) -> Self {
        Self { table: table.consistent(), deliveries, jobs }
    }
}

/// One message. A repeated or late one finds that the job goes on elsewhere and does nothing.
///
/// Bad weather ends here: the due-time index brings the job back.
pub async fn handle(deps: &Deps, page: job::Page) -> Result<()> {
    match handle_at(deps, page.clone(), Timestamp::now()).await {
        Err(error) if error.is_transient() => {
            metrics::count("JobsDeferred", 1);
            tracing::warn!(page = ?page, error = ?error, "put off until the sweep brings it again: {error}");
            Ok(())
        }
        done => done,
    }
}

/// The same at a given time.
pub async fn handle_at(deps: &Deps, page: job::Page, now: Timestamp) -> Result<()> {
    let job = deps.table.find_now(key::job(page.tenant, page.job)).await?;
    let Some(mut job) = job.filter(|job| job.state == State::Running && job.after == page.after) else {
        return Ok(());
    };
    let mut work = PageWork { deps, job: &job, now, progress: Progress::default(), lanes: HashMap::new() };
    let end = work.run().await?;
    let (progress, wait) = (work.progress, work.wait());

    let next = match end {
        End::Here(after) => {
            let pause = SignedDuration::try_from(wait).unwrap_or_default();
            job.advance(&deps.table, progress, after, pause, now).await?.then(|| job.page())
        }
        End::All if job.end(&deps.table, progress, State::Done, now).await? => return Ok(()),
        End::All => None,
    };
    match next {
        Some(page) => deps.jobs.send(&page, wait).await,
        None => job.count_late(&deps.table, progress).await,
    }
}

/// Where a page ends.
enum End {
    /// Behind this delivery the next page begins.
    Here(String),
    /// Nothing is left to be done.
    All,
}

/// One page being worked on.
struct PageWork<'a> {
    deps: &'a Deps,
    job: &'a Job,
    now: Timestamp,
    progress: Progress,
    /// What each endpoint is given by this page; nothing to one that was deleted.
    lanes: HashMap<EndpointId, Option<Lane>>,
}

/// What an endpoint is given: one after the other at its pace.
#[derive(Clone, Copy)]
struct Lane {
    a_second: f64,
    given: u32,
}

impl Lane {
    /// When there is room for one more.
    fn free(self) -> Duration {
        Duration::from_secs_f64(f64::from(self.given) / self.a_second)
    }
}

impl PageWork<'_> {
    async fn run(&mut self) -> Result<End> {
        let mut listing = table::Page { after: self.job.after.clone(), ..table::Page::first(LOOKED_AT) };
        for _ in 0..QUERIES {
            let found = self.deps.table.list(&range(self.job.tenant, &self.job.work), listing.clone()).await?;
            let early = match self.job.work {
                Work::Replay { .. } => self.start_all(&found.rows).await?,
                Work::CleanUp { .. } => self.forget_all(&found.rows).await?,
            };
            match (early, found.more) {
                (Some(end), _) => return Ok(end),
                (None, None) => return Ok(End::All),
                (None, more) => listing.after = more,
            }
        }
        Ok(listing.after.map_or(End::All, End::Here))
    }

    /// Starts those again that the job is about, until the page or the job is full.
    async fn start_all(&mut self, deliveries: &[Delivery]) -> Result<Option<End>> {
        for delivery in deliveries {
            self.start(delivery).await?;
            if self.job.done + self.progress.done >= MOST {
                return Ok(Some(End::All));
            }
            if self.progress.done + self.progress.passed_over >= STARTED || self.wait() >= LONGEST {
                return Ok(Some(End::Here(delivery.id.to_string())));
            }
        }
        Ok(None)
    }

    async fn start(&mut self, delivery: &Delivery) -> Result<()> {
        self.progress.looked_at += 1;
        let by_us = |delivery: &Delivery| delivery.started_by == Some(self.job.id);
        if by_us(delivery) {
            // By this page, before its worker was killed.
            self.progress.done += 1;
            return Ok(());
        }
        if !wants(&self.job.work, delivery) {
            return Ok(());
        }
        let Some(delay) = self.room(delivery.endpoint).await? else {
            self.progress.passed_over += 1;
            return Ok(());
        };
        let due = self.now + SignedDuration::try_from(delay).unwrap_or_default();
        match retry::replay(&self.deps.table, delivery, Some(self.job.id), due).await? {
            Some(started) => self.deps.deliveries.send(&started.job(), delay).await?,
            None => {
                let now = self.deps.table.find_now(key::delivery(delivery.tenant, delivery.id)).await?;
                if !now.is_some_and(|now| by_us(&now)) {
                    self.progress.passed_over += 1;
                    return Ok(());
                }
            }
        }
        self.progress.done += 1;
        Ok(())
    }

    /// After how long an endpoint has room for one more; never, where it was deleted.
    async fn room(&mut self, id: EndpointId) -> Result<Option<Duration>> {
        let lane =
            match self.lanes.get(&id) {
                Some(lane) => *lane,
                None => self.deps.table.find_now(key::endpoint(self.job.tenant, id)).await?.map(|endpoint| Lane {
                    a_second: A_SECOND * f64::from(endpoint.pace.clamp(1, 100)) / 100.0,
                    given: 0,
                }),
            };
        self.lanes.insert(id, lane.map(|lane| Lane { given: lane.given + 1, ..lane }));
        Ok(lane.map(Lane::free))
    }

    /// How long the endpoints need for what this page has given them: so long the next one waits.
    fn wait(&self) -> Duration {
        self.lanes.values().flatten().map(|lane| lane.free()).max().unwrap_or_default()
    }

    /// Forgets those that are settled, each after its attempts: whoever is killed in between finds it again.
    async fn forget_all(&mut self, deliveries: &[Delivery]) -> Result<Option<End>> {
        let settled = deliveries.iter().filter(|delivery| wants(&self.job.work, delivery));
        let work: Vec<_> = settled.map(|delivery| forget(&self.deps.table, delivery)).collect();
        let forgotten: Vec<bool> = stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await?;
        let done = forgotten.iter().filter(|done| **done).count() as u64;
        self.progress.looked_at += deliveries.len() as u64;
        self.progress.done += done;
        self.progress.passed_over += forgotten.len() as u64 - done;
        let full = self.progress.done + self.progress.passed_over >= FORGOTTEN;
        Ok(deliveries.last().filter(|_| full).map(|last| End::Here(last.id.to_string())))
    }
}

/// Forgets one delivery, unless a person has started it again meanwhile.
async fn forget(table: &Table, delivery: &Delivery) -> Result<bool> {
    for attempt in table.list_all(&key::attempts(delivery.tenant, delivery.id)).await? {
        table.delete(attempt.key()).await?;
    }
    table.delete_seen(delivery.key(), "state", delivery.state).await
}
