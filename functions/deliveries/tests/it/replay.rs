//! What a person starts again: it says nothing about its endpoint.

use deliveries::retry;
use jiff::SignedDuration;
use local::standin::{Fault, Mode};
use serde_json::{Value, json};
use shared::{
    automation,
    delivery::{State, Trigger},
    endpoint,
    gate::Gate,
    http::Call,
    key,
    testing::told,
};

use crate::world::{HOOK, World};

impl World {
    pub async fn retried(&self, call: Call) -> (u16, Value) {
        let deps =
            retry::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone(), queue: self.queue.clone() };
        told(retry::handle(&deps, call).await)
    }

    /// The only delivery, started again.
    async fn again(&self) -> (u16, Value) {
        let id = self.delivery().await.id;
        self.retried(self.owner().with_part("id", id)).await
    }
}

#[tokio::test]
async fn a_replay_changes_neither_the_state_nor_the_figures_of_its_endpoint() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(404)]).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;
    let before = world.endpoint().await;
    world.receiver.set_mode(HOOK, Mode::Failing).await.unwrap();

    world.now += SignedDuration::from_hours(10);
    let (status, body) = world.again().await;
    assert_eq!((status, body["data"]["replay"].as_bool()), (202, Some(true)), "{body}");
    let health = deliveries::health::of(&world.table, world.tenant, &["booking.updated"], world.now).await.unwrap();
    assert_eq!(health.queue_age_seconds, 0, "an old delivery is no long queue");
    world.run_for(SignedDuration::from_hours(40)).await;

    let (delivery, attempts) = (world.delivery().await, world.attempts().await);
    assert_eq!((delivery.state, delivery.attempts), (State::Failed, 9), "eight tries more");
    assert!(attempts[1..].iter().all(|attempt| attempt.trigger == Trigger::Replay));
    let after = world.endpoint().await;
    assert_eq!((after.state, after.failures), (before.state, before.failures));
    assert_eq!(world.notices().await.iter().filter(|name| name.starts_with("endpoint")).count(), 0);
    let hours = key::hours(world.tenant, world.endpoint, delivery.accepted_at, world.now);
    let hours = world.table.list_all(&hours).await.unwrap();
    let sum = |of: fn(&shared::hour::Hour) -> u64| hours.iter().map(of).sum::<u64>();
    assert_eq!((sum(|hour| hour.failed), sum(|hour| hour.replays), sum(|hour| hour.settled)), (1, 8, 1));
}

#[tokio::test]
async fn a_replay_that_arrives_forgives_nothing() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(404)]).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;
    assert_eq!(world.endpoint().await.failures, 1);

    world.again().await;
    world.run_until(world.now).await;

    assert_eq!((world.delivery().await.state, world.endpoint().await.failures), (State::Delivered, 1));
}

#[tokio::test]
async fn a_replay_that_is_answered_410_fails_and_closes_nothing() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(404)]).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;
    world.receiver.set_mode(HOOK, Mode::Closed).await.unwrap();

    world.again().await;
    world.run_for(SignedDuration::from_hours(1)).await;

    assert_eq!((world.delivery().await.state, world.delivery().await.last_status), (State::Failed, Some(410)));
    assert_eq!(world.endpoint().await.state, endpoint::State::Active);
}

#[tokio::test]
async fn a_replay_to_a_held_endpoint_waits_as_everything_does() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(404)]).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;
    let held = world.table.change(key::endpoint(world.tenant, world.endpoint)).set("state", "held");
    let check = world.now + SignedDuration::from_mins(10);
    held.set("check_at", check).index(Some(key::due(world.endpoint.as_bytes(), check))).send().await.unwrap();
    world.deps = deliveries::send::Deps::new(
        world.table.clone(),
        world.queue.clone(),
        shared::testing::vault(),
        shared::egress::Egress::new(&world.receiver.base, ""),
        deliveries::send::Sender::default(),
    );

    world.again().await;
    world.run_until(world.now).await;
    assert_eq!(world.delivery().await.state, State::Parked);
    world.run_for(SignedDuration::from_mins(15)).await;

    assert_eq!(world.delivery().await.state, State::Delivered, "by the probe, which opens it");
    assert_eq!(world.endpoint().await.state, endpoint::State::Active);
}

#[tokio::test]
async fn what_was_ended_by_a_person_can_be_started_again_and_what_arrived_only_by_force() {
    let mut world = World::new().await;
    world.accept("b1").await;
    world.run_until(world.now).await;
    let id = world.delivery().await.id;
    let call = || world.owner().with_part("id", id);

    assert_eq!(world.again().await.0, 409);
    assert_eq!(world.retried(call().posting(&json!({ "force": "yes", "hard": 1 }))).await.0, 400);
    assert_eq!(world.retried(call().posting(&json!({ "force": true }))).await.0, 202);
    world.run_until(world.now).await;
    let sent = world.receiver.requests(HOOK).await.unwrap();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].headers["webhook-id"], sent[1].headers["webhook-id"]);

    for state in [State::Cancelled, State::Discarded] {
        let ended = world.table.change(key::delivery(world.tenant, id)).set("state", state).set("reason", "why not");
        ended.send().await.unwrap();
        let (status, body) = world.again().await;
        assert_eq!((status, &body["data"]["reason"]), (202, &Value::Null), "{state:?}");
        world.run_until(world.now).await;
        assert_eq!(world.delivery().await.state, State::Delivered);
    }
}

#[tokio::test]
async fn a_replay_is_signed_with_the_secret_of_now() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(404)]).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;
    let keyring = shared::testing::vault().keyring().await.unwrap();
    let (tenant, id) = (world.tenant.to_string(), world.endpoint.to_string());
    let new = shared::secrets::webhook_secret();
    let rotated = world.table.change(key::endpoint(world.tenant, world.endpoint));
    rotated.set("secret", keyring.seal([&tenant, &id, "secret"], &new).unwrap()).send().await.unwrap();
    world.deps = deliveries::send::Deps::new(
        world.table.clone(),
        world.queue.clone(),
        shared::testing::vault(),
        shared::egress::Egress::new(&world.receiver.base, ""),
        deliveries::send::Sender::default(),
    );

    world.again().await;
    world.run_until(world.now).await;

    let sent = world.receiver.requests(HOOK).await.unwrap().pop().unwrap();
    let headers = sent.headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    assert_eq!(shared::sign::verify(&[new], &headers, world.now, sent.body.unwrap().as_bytes()), Ok(()));
}

#[tokio::test]
async fn an_automation_counts_its_failure_once_however_often_it_is_replayed() {
    let mut world = World::new().await;
    world.receiver.set_mode(HOOK, Fault::status(404)).await.unwrap();
    let automation = shared::id::AutomationId::new();
    let mut event = world.event("run");
    event.event_type = automation::EXECUTED.into();
    event.to = Some(world.endpoint);
    event.content =
        shared::event::Content::Automation { automation, template: "lead-to-crm".into(), data: "{}".into() };
    shared::event::accept(&world.table, event.clone()).await.unwrap();
    world.route(&event).await.unwrap();
    world.run_until(world.now).await;

    world.again().await;
    world.run_until(world.now).await;

    assert_eq!((world.delivery().await.state, world.delivery().await.attempts), (State::Failed, 2));
    let runs = world.table.list_all(&key::all_runs(world.tenant)).await.unwrap();
    assert_eq!(runs.iter().map(|runs| runs.failed).sum::<u64>(), 1);
}
