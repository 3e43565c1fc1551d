use serde_json::json;
use shared::{
    delivery::State,
    gate::Role,
    testing::{nobody, person, stranger},
};

use crate::{HOOK, World, etag, pointers};

fn because(world: &World) -> shared::http::Call {
    world.owner().posting(&json!({ "reason": "the scenario is being rebuilt" }))
}

#[tokio::test]
async fn what_is_due_waits_until_it_is_opened() {
    let world = World::new().await;
    let made = world.endpoint().await;

    let (status, answer) = world.disable(because(&world), made.id()).await;
    assert_eq!((status, &answer["data"]["state"]), (200, &json!("disabled")));
    assert_eq!(answer["data"]["reason"], "the scenario is being rebuilt");
    assert_ne!(etag(&answer["data"]), made.etag(), "a person has set it");
    world.accept("b1").await;
    world.work().await;
    assert_eq!(world.states().await, [State::Parked]);

    let (status, answer) = world.enable(world.owner().posting(&json!({})), made.id()).await;
    world.work().await;
    assert_eq!((status, &answer["data"]["state"]), (200, &json!("active")));
    assert_eq!(world.states().await, [State::Delivered]);
    assert_eq!(world.receiver.requests(HOOK).await.unwrap().len(), 1);
    assert_eq!(world.notices().await, ["endpoint_disabled", "endpoint_enabled"]);
}

#[tokio::test]
async fn one_that_is_closed_stays_as_it_is() {
    let world = World::new().await;
    let made = world.endpoint().await;

    let first = world.disable(because(&world), made.id()).await;
    let again = world.disable(world.owner().posting(&json!({ "reason": "another" })), made.id()).await;

    assert_eq!(first, again);
    assert_eq!(world.notices().await, ["endpoint_disabled"]);
}

#[tokio::test]
async fn five_at_once_close_it_once() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let close = || world.disable(because(&world), made.id());

    let (a, b, c, d, e) = tokio::join!(close(), close(), close(), close(), close());

    assert!([&a, &b, &c, &d, &e].iter().all(|(status, _)| [200, 409, 503].contains(status)));
    assert_eq!(world.row(made.id()).await.revision, 1);
    assert_eq!(world.notices().await, ["endpoint_disabled"]);
}

#[tokio::test]
async fn a_reason_is_asked_for() {
    let world = World::new().await;
    let made = world.endpoint().await;
    for body in [json!({}), json!({ "reason": " " }), json!({ "reason": "x".repeat(201) }), json!({ "reason": 7 })] {
        let (status, problem) = world.disable(world.owner().posting(&body), made.id()).await;
        assert_eq!((status, pointers(&problem)), (400, vec!["/reason"]), "{body}");
    }
}

#[tokio::test]
async fn a_stranger_finds_nothing_and_only_an_owner_may() {
    let world = World::new().await;
    let made = world.endpoint().await;
    for (call, expected) in [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Supervisor), 403)] {
        let call = call.posting(&json!({ "reason": "mischief" }));
        assert_eq!(world.disable(call, made.id()).await.0, expected);
    }
    assert_eq!(world.row(made.id()).await.revision, 0);
}
