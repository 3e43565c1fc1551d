//! What is to come of a trace, in words.

use jiff::{SignedDuration, Timestamp};
use shared::{
    delivery::{Delivery, State, identity},
    endpoint::{self, Endpoint, Holder},
};

use crate::story::{Happened, Story};

/// For so long after its event was accepted, a delivery that is missing is still to be made. What is missing later was
/// never wanted, or is forgotten.
const ROUTED_BY: SignedDuration = SignedDuration::from_mins(15);

/// One sentence for each thing that is to come; none where all has ended.
pub fn of(story: &Story, now: Timestamp) -> Vec<String> {
    story.events.iter().flat_map(|happened| of_event(happened, story, now)).collect()
}

fn of_event(happened: &Happened, story: &Story, now: Timestamp) -> Vec<String> {
    let mut awaited = missing(happened, story, now);
    for (delivery, _) in &happened.deliveries {
        let endpoint = story.endpoints.get(&delivery.endpoint);
        match delivery.state {
            State::Pending => awaited.push(next_try(delivery, endpoint, now)),
            State::Parked => awaited.push(opening(endpoint)),
            State::Delivered | State::Failed | State::Dead | State::Cancelled | State::Discarded => {}
        }
    }
    awaited
}

/// Deliveries that somebody is about to make.
fn missing(happened: &Happened, story: &Story, now: Timestamp) -> Vec<String> {
    let event = &happened.event;
    // Of a story that is not told in full, what is missing may just not be told.
    if story.truncated || now.duration_since(event.accepted_at) >= ROUTED_BY {
        return Vec::new();
    }
    let wants = |endpoint: &&Endpoint| match event.to {
        Some(to) => endpoint.id == to,
        None => endpoint.wants(&event.event_type) && endpoint.created_at <= event.accepted_at,
    };
    let is_made = |endpoint: &Endpoint| {
        let id = identity(event, endpoint.id);
        happened.deliveries.iter().any(|(delivery, _)| delivery.id == id)
    };
    let mut all: Vec<String> = story
        .endpoints
        .values()
        .filter(wants)
        .filter(|endpoint| !is_made(endpoint))
        .map(|endpoint| format!("{} is put on its way to {}", event.event_type, called(Some(endpoint))))
        .collect();
    all.sort();
    all
}

fn next_try(delivery: &Delivery, endpoint: Option<&Endpoint>, now: Timestamp) -> String {
    let try_n = format!("try {} at {}", delivery.attempts + 1, called(endpoint));
    match delivery.due_at {
        Some(at) if at > now => format!("{try_n} is made at {at}"),
        Some(at) => format!("{try_n} is made, due since {at}"),
        None => format!("{try_n} is made"),
    }
}

fn opening(endpoint: Option<&Endpoint>) -> String {
    let name = called(endpoint);
    match endpoint.map(|endpoint| (endpoint.state, endpoint.held_by)) {
        None => format!("a delivery to {name} is ended"),
        Some((endpoint::State::Disabled, _)) => format!("a person enables {name}"),
        Some((endpoint::State::Held, Holder::Receiver)) => format!("the receiver of {name} works again"),
        Some((endpoint::State::Held, Holder::Failures)) => format!("a probe of {name} succeeds"),
        Some((endpoint::State::Active | endpoint::State::Degraded, _)) => {
            format!("{name} is sent what waited for it, oldest first")
        }
    }
}

fn called(endpoint: Option<&Endpoint>) -> String {
    match endpoint {
        Some(endpoint) => format!("{} ({})", endpoint.name, endpoint.host),
        None => "an endpoint that was deleted".into(),
    }
}
