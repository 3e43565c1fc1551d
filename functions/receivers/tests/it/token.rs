use jiff::SignedDuration;
use serde_json::json;
use shared::endpoint::State;

use crate::world::{World, ZONE};

/// The token still exists for nobody, or may do nothing any more.
async fn revoke(world: &World, scopes: &[&str]) {
    let said = json!({ "token": world.customer.token, "scopes": scopes });
    world.standin.make_put(ZONE, "tokens", said).await.unwrap();
}

async fn grant(world: &World) {
    revoke(world, &["hooks:read", "scenarios:read", "teams:read", "organizations:read", "dlqs:read"]).await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_told_once_and_tried_more_rarely() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.look_at_scenario(json!({ "isActive": false })).await;
    revoke(&world, &[]).await;
    world.standin.forget("/*").await.unwrap();
    let began = world.now;

    while world.now < began + SignedDuration::from_hours(5) {
        world.look().await;
    }

    assert_eq!(world.notices().await, ["scenario_off", "make_token_refused", "receiver_unknown"]);
    assert_eq!(world.stands().await.0, State::Active, "we do not hold for ever on what we once knew");
    let asked = world.requests().await.len();
    assert!((5..=7).contains(&asked), "once, after a quarter of an hour, then by the hour: {asked}");
    let (_, shown) = world.shown().await;
    assert_eq!(shown["status"], "token_refused");
    assert!(shown["failure"].as_str().unwrap().contains("SC403"), "{shown}");

    grant(&world).await;
    world.now += SignedDuration::from_hours(1);
    world.look_well().await;
    assert_eq!(world.stands().await.0, State::Held);
    let notices = world.notices().await;
    assert!(notices.contains(&"make_token_refused_ended".to_owned()), "{notices:?}");
    assert_eq!(notices.iter().filter(|name| *name == "scenario_off").count(), 2);
    assert_eq!(world.shown().await.1["status"], "working");
}

#[tokio::test]
async fn a_token_that_make_no_longer_knows_is_refused() {
    let mut world = World::watched().await;
    world.look_well().await;
    world.standin.fail_next("/eu1.make.com/api/v2/*", [local::standin::Fault::status(401)]).await.unwrap();

    world.look().await;

    assert_eq!(world.notices().await, ["make_token_refused"]);
    assert_eq!(world.account().await.unwrap().next_at.duration_since(world.now).as_secs(), 13 * 60);
}

#[tokio::test]
async fn a_better_token_is_looked_at_at_once() {
    let mut world = World::watched().await;
    world.look_well().await;
    revoke(&world, &[]).await;
    world.look().await;
    grant(&world).await;

    world.given().await;
    world.look_well().await;

    assert_eq!(world.notices().await, ["make_token_refused", "make_token_refused_ended"]);
}

#[tokio::test]
async fn a_scope_that_is_taken_away_counts_as_a_refused_token() {
    let mut world = World::watched().await;
    world.look_well().await;
    revoke(&world, &["hooks:read"]).await;

    world.look().await;

    assert_eq!(world.notices().await, ["make_token_refused"]);
    assert_eq!(world.receiver().await.verdict(world.now), "working", "half an answer is none");
}
