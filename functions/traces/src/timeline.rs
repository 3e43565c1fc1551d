//! The timeline of a trace: what its rows say, one moment each.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use shared::{
    delivery::{Attempt, Delivery, State, Trigger, Verdict},
    egress::Silence,
    event::{Content, Event, Origin},
    id::{AutomationId, DeliveryId, EndpointId, EventId},
    outcome::{Outcome, Status},
};
use utoipa::ToSchema;

use crate::story::Story;

/// Something that happened, or is planned.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TraceMoment)]
pub struct Moment {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What.
    #[serde(flatten)]
    step: Step,
}

/// What happened. Of what happened at the same time, the earlier one of this list comes first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
#[schema(as = TraceStep)]
pub enum Step {
    /// An event was stored.
    Accepted {
        /// The event.
        event_id: EventId,
        /// Its type.
        event_type: String,
        /// How it came to be known.
        origin: Origin,
        /// When it happened, where its sender says so.
        #[schema(value_type = Option<String>, format = DateTime)]
        occurred_at: Option<Timestamp>,
        /// The automation that was run.
        #[serde(skip_serializing_if = "Option::is_none")]
        automation_id: Option<AutomationId>,
    },
    /// It got its number in each of its live channels; in none where it has no channel.
    Numbered {
        /// The event.
        event_id: EventId,
        /// The numbers, by channel.
        channels: BTreeMap<String, u64>,
    },
    /// It is on its way to an endpoint.
    Routed {
        /// The event.
        event_id: EventId,
        /// The delivery: also its `webhook-id`.
        delivery_id: DeliveryId,
        /// To where.
        endpoint: Where,
        /// How far the delivery is now.
        state: State,
    },
    /// A POST was made.
    Attempted {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Which attempt, counted from 1.
        n: u32,
        /// What made it.
        trigger: Trigger,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// The answer's status, where there was an answer.
        status: Option<u16>,
        /// Why there was none.
        error: Option<Silence>,
        /// What it meant.
        verdict: Verdict,
    },
    /// It waits for its endpoint.
    Parked {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Why.
        reason: String,
    },
    /// It has ended.
    Ended {
        /// The delivery.
        delivery_id: DeliveryId,
        /// How.
        state: State,
        /// In words.
        result: Option<String>,
    },
    /// Its receiver told what became of it.
    Told {
        /// The delivery.
        delivery_id: DeliveryId,
        /// How it ended there.
        status: Status,
        /// In the receiver's words.
        message: Option<String>,
        /// The receiver's name of its run.
        execution_id: Option<String>,
    },
    /// The next try is planned for this time.
    Planned {
        /// The delivery.
        delivery_id: DeliveryId,
        /// Which attempt it will be.
        n: u32,
    },
}

/// An endpoint in a story.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TraceEndpoint)]
pub struct Where {
    /// Its id.
    id: EndpointId,
    /// Its name; null where it was deleted.
    name: Option<String>,
    /// The host of its address.
    host: Option<String>,
}

/// All moments of a story, by time.
pub fn of(story: &Story) -> Vec<Moment> {
    let mut moments = Vec::new();
    for happened in &story.events {
        moments.push(accepted(&happened.event));
        moments.push(Moment {
            at: happened.numbered.at,
            step: Step::Numbered { event_id: happened.event.id, channels: happened.numbered.numbers.clone() },
        });
        for (delivery, attempts) in &happened.deliveries {
            moments.push(routed(delivery, story));
            moments.extend(attempts.iter().map(attempted));
            moments.extend(now(delivery, attempts, story));
        }
    }
    moments.extend(story.outcomes.iter().map(told));
    // Stable: what was pushed earlier of the same time and kind stays first.
    moments.sort_by_key(|moment| (moment.at, moment.step.rank()));
    moments
}

fn accepted(event: &Event) -> Moment {
    let automation_id = match &event.content {
        Content::Automation { automation, .. } => Some(*automation),
        Content::Booking { .. } | Content::Alert { .. } => None,
    };
    Moment {
        at: event.accepted_at,
        step: Step::Accepted {
            event_id: event.id,
            event_type: event.event_type.clone(),
            origin: event.origin,
            occurred_at: event.occurred_at,
            automation_id,
        },
    }
}

fn routed(delivery: &Delivery, story: &Story) -> Moment {
    let endpoint = story.endpoints.get(&delivery.endpoint);
    Moment {
        at: delivery.accepted_at,
        step: Step::Routed {
            event_id: delivery.event,
            delivery_id: delivery.id,
            endpoint: Where {
                id: delivery.endpoint,
                name: endpoint.map(|endpoint| endpoint.name.clone()),
                host: endpoint.map(|endpoint| endpoint.host.clone()),
            },
            state: delivery.state,
        },
    }
}

fn attempted(attempt: &Attempt) -> Moment {
    Moment {
        at: attempt.at,
        step: Step::Attempted {
            delivery_id: attempt.delivery,
            n: attempt.n,
            trigger: attempt.trigger,
            duration_ms: attempt.took_ms,
            status: attempt.status,
            error: attempt.error,
            verdict: attempt.verdict,
        },
    }
}

/// How a delivery stands now: planned, parked or ended.
fn now(delivery: &Delivery, attempts: &[Attempt], story: &Story) -> Option<Moment> {
    let delivery_id = delivery.id;
    match delivery.state {
        State::Pending => {
            let step = Step::Planned { delivery_id, n: delivery.attempts + 1 };
            Some(Moment { at: delivery.due_at?, step })
        }
        State::Parked => {
            // Nobody notes when it was parked: after the last attempt, or at once.
            let at = attempts.last().map_or(delivery.accepted_at, ended);
            Some(Moment { at, step: Step::Parked { delivery_id, reason: why_parked(delivery, story) } })
        }
        State::Delivered | State::Failed | State::Dead | State::Cancelled | State::Discarded => {
            let at = delivery.ended_at.or_else(|| attempts.last().map(ended)).unwrap_or(delivery.accepted_at);
            Some(Moment {
                at,
                step: Step::Ended {
                    delivery_id,
                    state: delivery.state,
                    result: delivery.reason.clone().or_else(|| delivery.last.clone()),
                },
            })
        }
    }
}

fn ended(attempt: &Attempt) -> Timestamp {
    attempt.at + SignedDuration::from_millis(attempt.took_ms.try_into().unwrap_or(0))
}

fn why_parked(delivery: &Delivery, story: &Story) -> String {
    match story.endpoints.get(&delivery.endpoint) {
        Some(endpoint) => {
            let state = serde_json::to_value(endpoint.state).unwrap_or_default();
            let reason = endpoint.reason.as_deref().unwrap_or("nobody has said why");
            format!("{} is {}: {reason}", endpoint.name, state.as_str().unwrap_or_default())
        }
        None => "its endpoint is gone".into(),
    }
}

fn told(outcome: &Outcome) -> Moment {
    Moment {
        at: outcome.at,
        step: Step::Told {
            delivery_id: outcome.delivery,
            status: outcome.status,
            message: outcome.message.clone(),
            execution_id: outcome.execution_id.clone(),
        },
    }
}

impl Step {
    fn rank(&self) -> u8 {
        match self {
            Self::Accepted { .. } => 0,
            Self::Numbered { .. } => 1,
            Self::Routed { .. } => 2,
            Self::Attempted { .. } => 3,
            Self::Parked { .. } => 4,
            Self::Ended { .. } => 5,
            Self::Told { .. } => 6,
            Self::Planned { .. } => 7,
        }
    }
}
