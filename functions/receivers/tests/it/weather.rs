use jiff::SignedDuration;
use local::standin::{Fault, Mode};
use serde_json::json;
use shared::endpoint::State;

use crate::world::{World, ZONE};

const API: &str = "/eu1.make.com/api/v2/*";

#[tokio::test]
async fn what_was_known_is_believed_for_a_while_and_not_for_ever() {
    for fault in [Fault::status(503), Fault::status(429), Fault::down(), Fault::status(424)] {
        let mut world = World::watched().await;
        world.look_well().await;
        world.look_at_scenario(json!({ "isActive": false })).await;
        let seen_at = world.receiver().await.seen_at;
        world.standin.set_mode(API, fault.clone()).await.unwrap();

        while world.now < seen_at + SignedDuration::from_mins(14) {
            world.look().await;
            assert_eq!(world.stands().await.0, State::Held, "{fault:?}: it is believed");
        }
        while world.now < seen_at + SignedDuration::from_mins(24) {
            world.look().await;
        }
        assert_eq!(world.stands().await, (State::Active, 100), "{fault:?}: and not for ever");
        assert_eq!(world.notices().await, ["scenario_off", "receiver_unknown"], "{fault:?}");
        assert_eq!(world.receiver().await.verdict(world.now), "receiver_unknown");

        // Make.com is there again, and says that it is still off.
        world.standin.heal(API).await.unwrap();
        world.now += SignedDuration::from_mins(10);
        world.look_well().await;
        assert_eq!(world.stands().await.0, State::Held);
        assert_eq!(world.notices().await, ["scenario_off", "receiver_unknown", "scenario_off"]);
        assert_eq!(world.shown().await.1["status"], "working");
    }
}

#[tokio::test]
async fn an_endpoint_that_was_slowed_down_is_sent_at_full_pace_again() {
    let mut world = World::watched().await;
    world.look_at_hook(json!({ "queueCount": 550 })).await;
    assert_eq!(world.stands().await, (State::Active, 20));
    world.standin.set_mode(API, Mode::Down).await.unwrap();

    for _ in 0..10 {
        world.look().await;
    }

    assert_eq!(world.stands().await, (State::Active, 100));
    assert_eq!(world.notices().await, ["queue_filling", "receiver_unknown"]);
}

#[tokio::test]
async fn weather_where_nothing_was_wrong_is_not_told() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.standin.set_mode(API, Mode::Failing).await.unwrap();

    for _ in 0..15 {
        world.look().await;
    }

    assert_eq!(world.notices().await, Vec::<String>::new());
    let (_, shown) = world.shown().await;
    assert_eq!(shown["status"], "unreachable", "{shown}");
    assert!(!shown["failing_since"].is_null());
}

#[tokio::test]
async fn whoever_is_killed_before_opening_what_is_too_old_to_believe_is_made_up_for() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.look_at_scenario(json!({ "isActive": false })).await;
    let mut row = world.receiver().await;
    row.trouble = None;
    row.held_at = None;
    row.seen_at = world.now - SignedDuration::from_mins(20);
    world.table.put(&row).await.unwrap();
    world.standin.set_mode(API, Mode::Down).await.unwrap();

    world.look().await;

    assert_eq!(world.stands().await.0, State::Active);
}

#[tokio::test]
async fn make_is_asked_more_rarely_while_it_is_in_trouble() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.standin.set_mode(API, Mode::Failing).await.unwrap();
    let began = world.now;
    world.standin.forget("/*").await.unwrap();

    while world.now < began + SignedDuration::from_hours(1) {
        world.look().await;
    }

    let asked = world.requests().await.len();
    assert!((10..=14).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_429_is_waited_out() {
    let mut world = World::watched().await;
    world.look_well().await;
    let fault = Fault::status(429).retry_after("240");
    world.standin.fail_next(API, [fault]).await.unwrap();

    let then = world.now;
    world.look().await;

    let account = world.account().await.unwrap();
    assert_eq!(account.next_at.duration_since(then).as_secs(), 240);
    assert!(account.refused_since.is_none());
    assert_eq!(account.failure.as_deref(), Some("Make.com is asked too much"));
    assert_eq!(world.look().await.unanswered + world.look().await.answered, 1, "not before its time");
}

#[tokio::test]
async fn our_share_of_the_limit_is_half_of_it_and_make_never_has_to_refuse() {
    let mut world = World::new().await;
    let organization = world.customer.organization_id;
    world.standin.set_organization(ZONE, organization, json!({ "license": { "apiLimit": 20 } })).await.unwrap();
    let given = world.given().await;
    assert_eq!((given["api_limit"].as_u64(), given["requests_per_minute"].as_u64()), (Some(20), Some(10)));

    // Far more looks than any schedule makes, in a moment.
    let mut unanswered = 0;
    for _ in 0..20 {
        unanswered += world.look().await.unanswered;
        world.now += SignedDuration::from_mins(10);
    }

    assert!(unanswered > 0);
    let refused =
        world.standin.requests(API).await.unwrap().into_iter().filter(|request| request.answered == Some(429));
    assert_eq!(refused.count(), 0);
}

#[tokio::test]
async fn an_answer_in_another_form_is_weather_too() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.look_at_scenario(json!({ "isActive": false })).await;
    for fault in [
        Fault::status(200).body("<html>"),
        Fault::status(200).body(json!({ "hooks": "none" })),
        Fault::status(200).body(json!({})),
    ] {
        world.standin.fail_next(API, [fault]).await.unwrap();
        assert_eq!(world.look().await.unanswered, 1);
        assert_eq!(world.stands().await.0, State::Held);
        world.now += SignedDuration::from_mins(3);
        world.look_well().await;
    }
    assert_eq!(world.notices().await, ["scenario_off"]);
}
