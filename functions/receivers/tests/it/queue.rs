use std::time::Duration;

use jiff::SignedDuration;
use receivers::watch;
use serde_json::json;
use shared::endpoint::State;

use crate::world::World;

#[tokio::test]
async fn an_endpoint_is_slowed_down_before_the_queue_is_full_and_held_when_it_is() {
    let mut world = World::watched().await;
    for (count, state, pace) in [
        (0, State::Active, 100),
        (333, State::Active, 100),
        (334, State::Active, 50),
        (540, State::Active, 20),
        (640, State::Active, 20),
        (641, State::Held, 20),
        (667, State::Held, 20),
        (334, State::Held, 20),
        // Half of it is free: what was kept comes at half the pace.
        (333, State::Active, 50),
        (270, State::Active, 50),
        (266, State::Active, 100),
    ] {
        world.look_at_hook(json!({ "queueCount": count })).await;
        assert_eq!(world.stands().await, (state, pace), "{count}");
    }
    assert_eq!(world.notices().await, ["queue_filling", "queue_full", "queue_full_ended", "queue_filling_ended"]);
}

#[tokio::test]
async fn a_queue_that_hovers_at_a_mark_is_told_of_once() {
    let mut world = World::watched().await;
    for count in [330, 340, 330, 340, 300, 350, 280] {
        world.look_at_hook(json!({ "queueCount": count })).await;
    }
    assert_eq!(world.notices().await, ["queue_filling"]);
    assert_eq!(world.stands().await, (State::Active, 50));

    for count in [540, 530, 540, 470, 530, 640, 660, 640, 660, 400, 660] {
        world.look_at_hook(json!({ "queueCount": count })).await;
    }
    assert_eq!(world.notices().await, ["queue_filling", "queue_full"]);
}

#[tokio::test]
async fn a_queue_that_moves_is_looked_at_every_fifteen_seconds() {
    let mut world = World::watched().await;
    let next_in = async |world: &World, then: jiff::Timestamp| {
        world.account().await.unwrap().next_at.duration_since(then).as_secs()
    };
    world.look_well().await;

    let then = world.now;
    world.look_at_hook(json!({ "queueCount": 400 })).await;
    assert_eq!(next_in(&world, then).await, 15, "more than half is taken");
    let then = world.now;
    world.look_well().await;
    assert_eq!(next_in(&world, then).await, 110, "it stands still");
    let then = world.now;
    world.look_at_hook(json!({ "queueCount": 650 })).await;
    assert_eq!(next_in(&world, then).await, 110, "it is held: nothing of ours fills it");
    let then = world.now;
    world.look_at_hook(json!({ "queueCount": 0 })).await;
    assert_eq!(next_in(&world, then).await, 15, "what was kept comes now");
    let then = world.now;
    world.look_at_hook(json!({ "queueCount": 100 })).await;
    assert_eq!(next_in(&world, then).await, 110, "at this rate a third is taken by the next look");
    let then = world.now;
    world.look_at_hook(json!({ "queueCount": 250 })).await;
    assert_eq!(next_in(&world, then).await, 15, "at this rate more than half is");
}

#[tokio::test]
async fn a_run_stays_and_looks_again_where_a_queue_is_about_to_be_full() {
    let mut world = World::watched().await;
    world.look_at_hook(json!({ "queueCount": 400 })).await;
    // As if the next look were a second from now.
    let account = world.account().await.unwrap();
    world.now = account.next_at - SignedDuration::from_millis(200);
    world
        .standin
        .set_make_hook(crate::world::ZONE, world.customer.hook_id, json!({ "queueCount": 560 }))
        .await
        .unwrap();
    let early = watch::run(&world.deps, world.now, Duration::from_secs(10)).await.unwrap();
    assert_eq!(early.answered, 0, "nothing is due, and a run does not wait for others' accounts");

    world.now = account.next_at;
    let begun = std::time::Instant::now();
    let watched = watch::run(&world.deps, world.now, Duration::from_secs(16)).await.unwrap();

    assert_eq!(watched.answered, 2, "at once, and after fifteen seconds");
    assert!(begun.elapsed() >= Duration::from_secs(15));
}

#[tokio::test]
async fn a_webhook_of_which_nothing_is_said_is_not_held() {
    let mut world = World::watched().await;
    world.look_at_hook(json!({ "queueCount": 5_000, "queueLimit": null })).await;
    assert_eq!(world.stands().await, (State::Active, 100));
    world.look_at_hook(json!({ "queueCount": 5, "queueLimit": 0 })).await;
    assert_eq!(world.stands().await, (State::Active, 100));
}
