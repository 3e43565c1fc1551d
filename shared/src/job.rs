//! A job: work on many deliveries that a person has begun, with its progress.
//!
//! A running job always stands in the due-time index, as a pending delivery does: each page of it is a message, and what a
//! lost message or a killed worker leaves behind, the sweep brings back. `after`, behind which the job goes on, is the
//! version of the row: a page is written down where it is still what was read, so a repeated one changes nothing.
//!
//! Of each kind a tenant has one job under way at most: a [`Running`] row, made and removed together with the change of
//! its job, holds the place.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    id::{EndpointId, JobId, TenantId},
    key::{self, Index, Key},
    queue::Message,
    table::{Row, Table},
};

/// A job that has not gone on for so long after its message was due has lost it.
pub const GRACE: SignedDuration = SignedDuration::from_mins(5);
/// How long a job that has ended is kept.
const KEEP: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Work on many rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Whose.
    pub tenant: TenantId,
    /// Its id: later jobs have later ones.
    pub id: JobId,
    /// What is done.
    pub work: Work,
    /// How far it is.
    pub state: State,
    /// Who began it.
    pub by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it is brought back by the sweep, while it runs.
    pub due_at: Option<Timestamp>,
    /// When its last page was written down, if one was.
    #[serde(default)]
    pub progressed_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Behind which row it goes on.
    pub after: Option<String>,
    /// Rows looked at.
    pub looked_at: u64,
    /// Rows that the work was done on.
    pub done: u64,
    /// Rows that it could not be done on, because they had changed meanwhile.
    pub passed_over: u64,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[schema(as = JobWork)]
pub enum Work {
    /// Start every failed or dead delivery again.
    Replay {
        /// Of events that were accepted from then on.
        #[schema(value_type = String, format = DateTime)]
        since: Timestamp,
        /// Until then.
        #[schema(value_type = String, format = DateTime)]
        until: Timestamp,
        /// Only to this endpoint.
        endpoint: Option<EndpointId>,
        /// Only with at most so many attempts made.
        most_attempts: Option<u32>,
    },
    /// Forget the settled deliveries of events that were accepted before then, with their attempts.
    CleanUp {
        /// Before then.
        #[schema(value_type = String, format = DateTime)]
        before: Timestamp,
    },
}

/// The kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// [`Work::Replay`].
    Replay,
    /// [`Work::CleanUp`].
    CleanUp,
}

impl Kind {
    /// As its key spells it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Replay => "REPLAY",
            Self::CleanUp => "CLEAN_UP",
        }
    }
}

impl Work {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Replay { .. } => Kind::Replay,
            Self::CleanUp { .. } => Kind::CleanUp,
        }
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobState)]
pub enum State {
    /// It is under way.
    Running,
    /// It is done.
    Done,
    /// A person has ended it.
    Cancelled,
}

impl Row for Job {
    const KIND: &'static str = "job";

    fn key(&self) -> Key<Self> {
        key::job(self.tenant, self.id)
    }

    fn index(&self) -> Option<Index> {
        self.due_at.map(|at| key::due(self.id.as_bytes(), at))
    }

    fn expires(&self) -> Option<Timestamp> {
        self.ended_at.map(|at| at + KEEP)
    }
}

/// Holds the place of the one job of its kind that is under way.
#[derive(Debug, Serialize, Deserialize)]
pub struct Running {
    /// Whose.
    pub tenant: TenantId,
    /// Of which kind.
    pub of: Kind,
    /// Which.
    pub job: JobId,
}

impl Row for Running {
    const KIND: &'static str = "running";

    fn key(&self) -> Key<Self> {
        key::running(self.tenant, self.of)
    }
}

/// What stands in the queue of jobs: go on, if it is still there that the job goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Whose.
    pub tenant: TenantId,
    /// Which job.
    pub job: JobId,
    /// Behind which row.
    pub after: Option<String>,
}

impl Message for Page {
    fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// What a page adds to a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows looked at.
    pub looked_at: u64,
    /// Rows that the work was done on.
    pub done: u64,
    /// Rows that had changed meanwhile.
    pub passed_over: u64,
}

impl Job {
    /// One that begins now.
    pub fn new(tenant: TenantId, work: Work, by: String, now: Timestamp) -> Self {
        Self {
            tenant,
            id: JobId::new(),
            work,
            state: State::Running,
            by,
            created_at: now,
            due_at: Some(now + GRACE),
            progressed_at: None,
            ended_at: None,
            after: None,
            looked_at: 0,
            done: 0,
            passed_over: 0,
        }
    }

    /// The message that has it go on.
    pub fn page(&self) -> Page {
        Page { tenant: self.tenant, job: self.id, after: self.after.clone() }
    }

    /// Stores it, unless one of its kind is under way.
    pub async fn begin(&self, table: &Table) -> Result<()> {
        match table.transact().create(self).create(&self.running()).send().await? {
            true => Ok(()),
            false => Err(Error::conflict("a job of this kind is under way: wait for its end, or cancel it")),
        }
    }

    /// Writes down a page, if the job still goes on where it was read. It comes back after `wait` and a grace at the
    /// latest. Whether it was written.
    pub async fn advance(
        &mut self,
        table: &Table,
        page: Progress,
        after: String,
        wait: SignedDuration,
        now: Timestamp,
    ) -> Result<bool> {
        let due = now + wait + GRACE;
        let change = self.counted(table, page).set("after", &after).set("due_at", due).set("progressed_at", now);
        let written =
            change.index(Some(key::due(self.id.as_bytes(), due))).when("state", State::Running).send().await?;
        Ok(written.map(|row| *self = row).is_some())
    }

    /// Ends it with its last page, if it still goes on where it was read. Whether it was written.
    pub async fn end(&self, table: &Table, page: Progress, state: State, now: Timestamp) -> Result<bool> {
        let change = self
            .counted(table, page)
            .set("state", state)
            .set("ended_at", now)
            .set_or_remove("progressed_at", if state == State::Done { Some(now) } else { self.progressed_at })
            .remove("due_at")
            .index(None)
            .expires(now + KEEP)
            .when("state", State::Running);
        table.transact().change(change).delete(&self.running().key()).send().await
    }

    /// Counts a page of a job that a person has cancelled meanwhile.
    pub async fn count_late(&self, table: &Table, page: Progress) -> Result<()> {
        self.counted(table, page).when("state", State::Cancelled).write().await.map(drop)
    }

    fn counted<'t>(&self, table: &'t Table, page: Progress) -> crate::table::Change<'t, Self> {
        let change = table
            .change(self.key())
            .set("looked_at", self.looked_at + page.looked_at)
            .set("done", self.done + page.done)
            .set("passed_over", self.passed_over + page.passed_over);
        match &self.after {
            Some(after) => change.when("after", after),
            None => change.when_missing("after"),
        }
    }

    fn running(&self) -> Running {
        Running { tenant: self.tenant, of: self.work.kind(), job: self.id }
    }
}
