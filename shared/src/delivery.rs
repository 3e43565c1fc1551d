//! A delivery: one event on its way to one endpoint; and the rules of trying.
//!
//! # From an event to its outcome
//!
//! ```text
//!  event row ──stream──► route ──► DELIVERY row (in the due-time index) + SQS message
//!                                                   ▲                        │
//!                        sweep, every minute ───────┘                        ▼
//!                                                                          send  ──► POST ──► ATTEMPT row, DELIVERY row
//! ```
//!
//! - A pending delivery always stands in the due-time index. What SQS, the stream or a killed function loses, the sweep
//!   finds there and queues again: correctness needs the index alone, the message is an optimisation.
//! - `attempts` is the version of the row. A worker says which attempt it makes; if another has made it meanwhile, the
//!   conditional write fails and nothing more happens. A function killed between the POST and that write posts the
//!   same `webhook-id` again: at least once to the outside, exactly once in the log.
//! - What a person does (cancel, discard, start again) is conditional on the state and the attempts that were read. A
//!   delivery that is started again is a replay until it settles: the same schedule, and no word about its endpoint.
//! - A message that kills its worker five times goes to the dead-letter queue, whose function marks the delivery `dead`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    egress::{Answered, Silence},
    endpoint::Endpoint,
    event::Event,
    id::{DeliveryId, EndpointId, EventId, JobId, TenantId},
    key::{self, Index, Key},
    queue::Message,
    table::Row,
    trace::TraceId,
};

/// What to wait before each further try: at 0, then these; 27½ hours in all (the schedule of Svix).
pub const WAITS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(10 * 3600),
];

/// The least wait after a time-out, a 429 or a full queue.
pub const OVERLOADED: Duration = Duration::from_secs(60);
/// The longest wait that a receiver may ask for, where the schedule has a shorter one.
pub const PATIENCE: Duration = Duration::from_secs(3600);
/// How long after its due time a delivery with a message under way is taken for lost.
pub const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// One event on its way to one endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Whose.
    pub tenant: TenantId,
    /// Its id: later events have later ones.
    pub id: DeliveryId,
    /// What is delivered.
    pub event: EventId,
    /// Its type.
    pub event_type: String,
    /// To where.
    pub endpoint: EndpointId,
    /// What ties it to its event.
    pub trace: TraceId,
    /// How far it is.
    pub state: State,
    /// Attempts made: the version of the row.
    pub attempts: u32,
    /// Where in the schedule it is; a probe or a person does not move it.
    pub step: u32,
    /// When its event was accepted.
    pub accepted_at: Timestamp,
    /// When it is tried next, while it is pending.
    pub due_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How the last attempt ended, for a person.
    pub last: Option<String>,
    /// The status of the last answer, where there was one.
    #[serde(default)]
    pub last_status: Option<u16>,
    /// Started again by a person: what comes of it says nothing about its endpoint.
    #[serde(default)]
    pub replay: bool,
    /// The job that has started it again last, if it was one: none starts the same delivery twice.
    #[serde(default)]
    pub started_by: Option<JobId>,
    /// Why a person has ended it, where a person has.
    #[serde(default)]
    pub reason: Option<String>,
    /// How many outcomes its receiver has told.
    #[serde(default)]
    pub outcomes: u32,
    /// When a row is forgotten.
    pub keep_until: Timestamp,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryState)]
pub enum State {
    /// It will be tried at its due time.
    Pending,
    /// It waits for its endpoint to be opened.
    Parked,
    /// The endpoint has taken it.
    Delivered,
    /// The endpoint refused it, or the last try failed.
    Failed,
    /// Its message killed the worker again and again.
    Dead,
    /// A person has ended it before it was delivered.
    Cancelled,
    /// It had failed or was dead, and a person has put it away.
    Discarded,
}

impl State {
    /// Whether nothing happens to it any more unless a person starts it again.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Pending | Self::Parked => false,
            Self::Delivered | Self::Failed | Self::Dead | Self::Cancelled | Self::Discarded => true,
        }
    }
}

impl std::str::FromStr for State {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_value(text.into())
    }
}

impl Row for Delivery {
    const KIND: &'static str = "delivery";

    fn key(&self) -> Key<Self> {
        key::delivery(self.tenant, self.id)
    }

    fn index(&self) -> Option<Index> {
        match self.state {
            State::Pending => self.due_at.map(|at| key::due(self.id.as_bytes(), at + GRACE)),
            State::Parked => Some(key::parked(self.tenant, self.endpoint, self.id)),
            State::Delivered | State::Failed | State::Dead | State::Cancelled | State::Discarded => None,
        }
    }

    fn expires(&self) -> Option<Timestamp> {
        // What is not settled is not forgotten.
        self.state.is_settled().then_some(self.keep_until)
    }
}

impl Delivery {
    /// The delivery of an event to an endpoint: the same two make the same one.
    pub fn of(event: &Event, endpoint: &Endpoint) -> Self {
        let parked = endpoint.state.parks();
        Self {
            tenant: event.tenant,
            id: identity(event, endpoint.id),
            event: event.id,
            event_type: event.event_type.clone(),
            endpoint: endpoint.id,
            trace: event.trace,
            state: if parked { State::Parked } else { State::Pending },
            attempts: 0,
            step: 0,
            accepted_at: event.accepted_at,
            due_at: (!parked).then_some(event.accepted_at),
            ended_at: None,
            last: None,
            last_status: None,
            replay: false,
            started_by: None,
            reason: None,
            outcomes: 0,
            keep_until: event.accepted_at + endpoint.keep(),
        }
    }

    /// Until when its log is kept if it settles now: as long as its endpoint says, from then at least.
    pub fn kept_from(&self, now: Timestamp) -> Timestamp {
        self.keep_until.max(now + self.keep_until.duration_since(self.accepted_at))
    }

    /// The message that has it tried now.
    pub fn job(&self) -> Job {
        self.job_after(self.attempts)
    }

    /// The message that has it tried after so many attempts.
    pub fn job_after(&self, attempts: u32) -> Job {
        Job::Deliver { tenant: self.tenant, delivery: self.id, attempts }
    }
}

/// The time of the event in front, so that ids sort as events were accepted; the rest from what makes it unique.
pub fn identity(event: &Event, endpoint: EndpointId) -> DeliveryId {
    let digest = crate::event::identity(event.tenant, &[event.id.as_bytes(), endpoint.as_bytes()]);
    let mut id = *digest.as_bytes();
    let ms = event.accepted_at.as_millisecond().max(0).to_be_bytes();
    id[..6].copy_from_slice(&ms[2..]);
    DeliveryId::from_bytes(id)
}

/// What stands in the delivery queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "job")]
pub enum Job {
    /// Make the next attempt of a delivery, if so many were made before.
    Deliver {
        /// Whose.
        tenant: TenantId,
        /// Which.
        delivery: DeliveryId,
        /// Attempts made before.
        attempts: u32,
    },
    /// Look after an endpoint: probe a held one with the oldest of what waits for it, queue all that waits for an
    /// open one.
    Check {
        /// Whose.
        tenant: TenantId,
        /// Which.
        endpoint: EndpointId,
    },
}

impl Message for Job {
    fn tenant(&self) -> TenantId {
        match self {
            Self::Deliver { tenant, .. } | Self::Check { tenant, .. } => *tenant,
        }
    }
}

/// One attempt, as it is logged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Whose.
    pub tenant: TenantId,
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which attempt, counted from 1.
    pub n: u32,
    /// When it was made.
    pub at: Timestamp,
    /// What made it: the schedule, or a probe.
    pub trigger: Trigger,
    /// How long it took.
    pub took_ms: u64,
    /// The answer's status, where there was one.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<Silence>,
    /// The beginning of the answer's body.
    pub answer: Option<String>,
    /// What it meant.
    pub verdict: Verdict,
    /// When the next one is due.
    pub next_at: Option<Timestamp>,
    /// When the row is forgotten.
    pub keep_until: Timestamp,
}

/// What made an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The schedule of tries.
    Schedule,
    /// A probe of a held endpoint.
    Probe,
    /// A person, who had it started again.
    Replay,
}

impl Row for Attempt {
    const KIND: &'static str = "attempt";

    fn key(&self) -> Key<Self> {
        key::attempt(self.tenant, self.delivery, self.n)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.keep_until)
    }
}

/// What an outcome means for the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Taken.
    Delivered,
    /// Try again.
    Retry,
    /// Try again, and not soon: the receiver is overloaded.
    Overloaded,
    /// The endpoint is closed for good: it waits for a person.
    Gone,
    /// Refused: trying again would change nothing.
    Refused,
}

/// What an outcome means. Make.com's 400 `Queue is full` is the one 400 that passes
/// (help.make.com, webhooks; `Accepted` means queued there, not processed).
pub fn judge(outcome: &Result<Answered, Silence>) -> Verdict {
    match outcome {
        Err(Silence::Refused | Silence::NoEndpoint) => Verdict::Refused,
        Err(Silence::Network) => Verdict::Retry,
        Err(Silence::Timeout) => Verdict::Overloaded,
        Ok(answer) => match answer.status {
            200..=299 => Verdict::Delivered,
            400 if answer.body.trim() == "Queue is full" => Verdict::Overloaded,
            408 | 429 => Verdict::Overloaded,
            410 => Verdict::Gone,
            425 | 500..=599 => Verdict::Retry,
            _ => Verdict::Refused,
        },
    }
}

/// How long to wait after a failed try at this step, or `None` after the last one.
///
/// `jitter` from 0 to 1 spreads the wait by ±20 %. What the receiver asks for is honoured up to [`PATIENCE`], or twice
/// the planned wait where that is longer; it never shortens a wait.
pub fn wait(step: u32, verdict: Verdict, retry_after: Option<u64>, jitter: f64) -> Option<Duration> {
    let planned = WAITS.get(step as usize)?.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0));
    let planned = match verdict {
        Verdict::Overloaded => planned.max(OVERLOADED),
        _ => planned,
    };
    let asked = Duration::from_secs(retry_after.unwrap_or(0));
    Some(asked.clamp(planned, PATIENCE.max(planned * 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Result<Answered, Silence> {
        Ok(Answered { status, retry_after: None, body: body.into() })
    }

    #[test]
    fn each_answer_means_what_the_receiver_means_by_it() {
        for (outcome, verdict) in [
            (answered(200, "Accepted"), Verdict::Delivered),
            (answered(204, ""), Verdict::Delivered),
            (answered(302, ""), Verdict::Refused),
            (answered(400, "Queue is full"), Verdict::Overloaded),
            (answered(400, "bad"), Verdict::Refused),
            (answered(401, ""), Verdict::Refused),
            (answered(408, ""), Verdict::Overloaded),
            (answered(410, ""), Verdict::Gone),
            (answered(425, ""), Verdict::Retry),
            (answered(429, "Too many requests"), Verdict::Overloaded),
            (answered(500, ""), Verdict::Retry),
            (answered(503, ""), Verdict::Retry),
            (Err(Silence::Network), Verdict::Retry),
            (Err(Silence::Timeout), Verdict::Overloaded),
            (Err(Silence::Refused), Verdict::Refused),
        ] {
            assert_eq!(judge(&outcome), verdict, "{outcome:?}");
        }
    }

    #[test]
    fn the_schedule_is_eight_tries_in_a_day_and_a_bit() {
        let waits: Vec<u64> =
            (0..).map_while(|step| wait(step, Verdict::Retry, None, 0.5)).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]);
    }

    #[test]
    fn jitter_spreads_by_a_fifth() {
        assert_eq!(wait(1, Verdict::Retry, None, 0.0), Some(Duration::from_secs(240)));
        assert_eq!(wait(1, Verdict::Retry, None, 1.0), Some(Duration::from_secs(360)));
    }

    #[test]
    fn an_overloaded_receiver_rests_a_minute() {
        assert_eq!(wait(0, Verdict::Overloaded, None, 0.5), Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_receiver_may_ask_for_longer_but_not_for_ever_nor_for_less() {
        let asks = |step, seconds| wait(step, Verdict::Retry, Some(seconds), 0.5).unwrap().as_secs();
        assert_eq!(asks(0, 120), 120);
        assert_eq!(asks(0, 86_400), 3_600);
        assert_eq!(asks(1, 1), 300);
        assert_eq!(asks(3, 86_400), 14_400);
    }
}
