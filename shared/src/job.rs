//! A job: work on many rows that a person has begun, with its progress.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    id::{EndpointId, JobId, TenantId},
    key::{self, Key},
    table::Row,
};

/// Work on many rows. It goes on page by page; `after` is where, and the version of the row.
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

    fn expires(&self) -> Option<Timestamp> {
        self.ended_at.map(|at| at + SignedDuration::from_hours(30 * 24))
    }
}
