//! The whole way: what is delivered, what is kept, and what leaves when the scenario is on again.

use std::time::Duration;

use deliveries::{
    route,
    send::{self, Sender},
};
use jiff::SignedDuration;
use serde_json::json;
use shared::{
    boot::Changed,
    delivery::{self, Job},
    endpoint::State,
    event::{self, Content, Event, Origin},
    key,
    testing::vault,
    trace::TraceId,
};

use crate::world::{World, ZONE};

impl World {
    async fn accept(&self, name: &str) {
        let event = Event {
            tenant: self.tenant,
            id: event::identity(self.tenant, &[name.as_bytes()]),
            event_type: "booking.updated".into(),
            trace: TraceId::new(),
            accepted_at: self.now,
            occurred_at: None,
            to: None,
            origin: Origin::Live,
            content: Content::Booking {
                operation: shared::booking::Operation::Update,
                table: "bookings".into(),
                record: Some(json!({ "id": name }).to_string()),
                old_record: None,
            },
        };
        let (event, _) = event::accept(&self.table, event).await.unwrap();
        let deps = route::Deps { table: self.table.clone(), queue: self.queue.clone() };
        route::handle(&deps, Changed::making(&event)).await.unwrap();
    }

    /// Works on every message, as its function would, until there is none.
    async fn send_all(&self) {
        let sender = Sender { stage: "test".into(), ..Sender::default() };
        let deps = send::Deps::new(self.table.clone(), self.queue.clone(), vault(), self.egress.clone(), sender);
        loop {
            let messages: Vec<Job> = self.messages();
            if messages.is_empty() {
                return;
            }
            for job in messages {
                send::handle_at(&deps, job, self.now).await.unwrap();
            }
        }
    }

    async fn states(&self) -> Vec<delivery::State> {
        let all = self.table.list_all(&key::deliveries(self.tenant)).await.unwrap();
        all.into_iter().map(|delivery| delivery.state).collect()
    }
}

#[tokio::test]
async fn what_is_due_to_a_scenario_that_is_off_is_kept_and_leaves_when_it_is_on() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.standin.set_scenario(ZONE, world.customer.scenario_id, json!({ "isActive": false })).await.unwrap();

    // Nobody knows yet: Make.com takes it, and does nothing with it.
    world.accept("b1").await;
    world.send_all().await;
    assert_eq!(world.states().await, [delivery::State::Delivered]);
    world.look_well().await;
    let detail = world.receiver().await.findings(world.now)[0].detail.clone();
    assert!(detail.ends_with("1 event waits in its queue"), "{detail}");

    for name in ["b2", "b3", "b4"] {
        world.accept(name).await;
    }
    world.send_all().await;
    world.now += SignedDuration::from_hours(5);
    assert_eq!(world.states().await[1..], [delivery::State::Parked; 3]);
    assert_eq!(world.stands().await.0, State::Held);

    world.look_at_scenario(json!({ "isActive": true })).await;
    world.send_all().await;
    assert_eq!(world.states().await, [delivery::State::Delivered; 4]);
    let path = world.customer.hook_path.clone();
    let posted = world.standin.wait_for_within(&path, 4, Duration::from_secs(5)).await.unwrap();
    assert_eq!(posted.len(), 4, "each once");
}
