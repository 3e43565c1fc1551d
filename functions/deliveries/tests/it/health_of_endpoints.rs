use jiff::SignedDuration;
use local::standin::{Fault, Mode};
use shared::{
    delivery::{State, Trigger},
    endpoint, key,
};

use crate::world::{HOOK, World};

#[tokio::test]
async fn an_endpoint_that_fails_all_the_time_is_held_and_everything_waits() {
    let mut world = World::new().await;
    world.receiver.set_mode(HOOK, Mode::Failing).await.unwrap();
    for n in 0..12 {
        world.accept(&format!("b{n:02}")).await;
        world.run_for(SignedDuration::from_mins(2)).await;
    }

    assert_eq!(world.endpoint().await.state, endpoint::State::Held);
    let states = world.deliveries().await;
    assert!(states.iter().all(|delivery| matches!(delivery.state, State::Pending | State::Parked)), "{states:?}");
    assert_eq!(world.notices().await, ["endpoint_degraded", "endpoint_held"], "one notice at each change");
}

#[tokio::test]
async fn a_probe_opens_a_held_endpoint_and_what_waited_leaves_oldest_first() {
    let mut world = World::new().await;
    world.receiver.set_mode(HOOK, Mode::Down).await.unwrap();
    for n in 0..20 {
        world.accept(&format!("b{n:02}")).await;
        world.run_for(SignedDuration::from_mins(1)).await;
    }
    world.run_for(SignedDuration::from_hours(6)).await;
    assert_eq!(world.endpoint().await.state, endpoint::State::Held);
    assert!(world.deliveries().await.iter().all(|delivery| delivery.state == State::Parked));
    world.receiver.heal(HOOK).await.unwrap();
    world.receiver.forget(HOOK).await.unwrap();

    world.run_for(SignedDuration::from_hours(2)).await;

    assert_eq!(world.endpoint().await.state, endpoint::State::Active);
    assert!(world.deliveries().await.iter().all(|delivery| delivery.state == State::Delivered));
    assert_eq!(world.notices().await, ["endpoint_degraded", "endpoint_held", "endpoint_recovered"]);
    let sent = world.receiver.requests(HOOK).await.unwrap();
    let ids: Vec<_> = sent.iter().map(|sent| sent.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 20, "each once");
    assert!(ids[1..].is_sorted(), "behind the probe, in the order of acceptance");
    assert_eq!(world.endpoint().await.check_at, None, "nobody looks after a well endpoint");
}

#[tokio::test]
async fn probes_do_not_use_up_the_tries() {
    let mut world = World::new().await;
    world.accept("b1").await;
    let held = world.table.change(key::endpoint(world.tenant, world.endpoint));
    let check = world.now + SignedDuration::from_mins(1);
    held.set("state", "held")
        .set("check_at", check)
        .index(Some(key::due(world.endpoint.as_bytes(), check)))
        .send()
        .await
        .unwrap();
    world.receiver.set_mode(HOOK, Mode::Failing).await.unwrap();

    world.run_for(SignedDuration::from_hours(24)).await;

    let (delivery, attempts) = (world.delivery().await, world.attempts().await);
    assert_eq!((delivery.state, delivery.step), (State::Parked, 0));
    assert!(attempts.len() > 8 && attempts.iter().all(|attempt| attempt.trigger == Trigger::Probe));
}

#[tokio::test]
async fn a_success_forgives_what_went_before() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(500).times(3)]).await.unwrap();
    world.accept("b1").await;

    world.run_for(SignedDuration::from_hours(1)).await;

    let endpoint = world.endpoint().await;
    assert_eq!((endpoint.state, endpoint.failures, endpoint.failing_since), (endpoint::State::Active, 0, None));
    assert_eq!(world.notices().await, ["endpoint_degraded", "endpoint_recovered"]);
}

#[tokio::test]
async fn what_is_parked_just_after_the_opening_leaves_too() {
    let mut world = World::new().await;
    let opened = world.table.change(key::endpoint(world.tenant, world.endpoint));
    let check = world.now + SignedDuration::from_mins(1);
    opened
        .set("opened_at", world.now)
        .set("check_at", check)
        .index(Some(key::due(world.endpoint.as_bytes(), check)))
        .send()
        .await
        .unwrap();
    world.accept("b1").await;
    world.messages();
    let delivery = world.delivery().await;
    let late = world.table.change(key::delivery(world.tenant, delivery.id));
    late.set("state", State::Parked)
        .index(Some(key::parked(world.tenant, world.endpoint, delivery.id)))
        .send()
        .await
        .unwrap();

    world.run_for(SignedDuration::from_mins(5)).await;

    assert_eq!(world.delivery().await.state, State::Delivered);
}

#[tokio::test]
async fn a_body_that_is_refused_does_not_keep_an_endpoint_closed() {
    let mut world = World::new().await;
    world.accept("b1").await;
    let held = world.table.change(key::endpoint(world.tenant, world.endpoint));
    let check = world.now + SignedDuration::from_mins(1);
    held.set("state", "held")
        .set("check_at", check)
        .index(Some(key::due(world.endpoint.as_bytes(), check)))
        .send()
        .await
        .unwrap();
    world.run_until(world.now).await;
    world.receiver.fail_next(HOOK, [Fault::status(422)]).await.unwrap();

    world.run_for(SignedDuration::from_hours(1)).await;

    assert_eq!(world.delivery().await.state, State::Failed);
    assert_eq!(world.endpoint().await.state, endpoint::State::Active, "nothing waits for it any more");
}
