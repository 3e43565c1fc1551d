use local::standin::Mode;
use serde_json::json;
use shared::{
    delivery::State,
    endpoint::{self, Holder},
    gate::Role,
    key,
    testing::{nobody, person, stranger},
};

use crate::{HOOK, World};

#[tokio::test]
async fn one_that_is_open_stays_as_it_is() {
    let world = World::new().await;
    let made = world.endpoint().await;

    let (status, answer) = world.enable(world.owner(), made.id()).await;

    assert_eq!((status, &answer["data"]), (200, &made.0["endpoint"]));
    assert!(world.notices().await.is_empty());
}

#[tokio::test]
async fn one_that_its_receiver_holds_is_opened_by_a_person_all_the_same() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let change = world.table.change(key::endpoint(world.tenant, made.id()));
    change.set("state", endpoint::State::Held).set("held_by", Holder::Receiver).send().await.unwrap();
    world.accept("b1").await;
    assert_eq!(world.states().await, [State::Parked]);
    assert_eq!(world.get(world.owner(), made.id()).await.1["data"]["held_by"], "receiver");

    let (status, answer) = world.enable(world.owner(), made.id()).await;
    world.work().await;

    assert_eq!((status, &answer["data"]["held_by"]), (200, &json!(null)));
    assert_eq!(world.states().await, [State::Delivered]);
    assert_eq!(world.row(made.id()).await.held_by, Holder::Failures, "what holds it next is not known yet");
}

#[tokio::test]
async fn one_that_its_receiver_has_closed_is_opened_and_sent_what_waited() {
    let world = World::new().await;
    let made = world.endpoint().await;
    world.receiver.set_mode(HOOK, Mode::Closed).await.unwrap();
    world.accept("b1").await;
    world.work().await;
    world.accept("b2").await;
    assert_eq!(world.row(made.id()).await.state, endpoint::State::Disabled);
    world.receiver.heal(HOOK).await.unwrap();

    let (status, answer) = world.enable(world.owner(), made.id()).await;
    world.work().await;

    assert_eq!((status, &answer["data"]["state"]), (200, &json!("active")));
    assert_eq!(world.states().await, [State::Delivered; 2]);
}

#[tokio::test]
async fn five_at_once_open_it_once() {
    let world = World::new().await;
    let made = world.endpoint().await;
    world.disable(world.owner().posting(&json!({ "reason": "for a while" })), made.id()).await;
    let open = || world.enable(world.owner(), made.id());

    let (a, b, c, d, e) = tokio::join!(open(), open(), open(), open(), open());

    assert!([&a, &b, &c, &d, &e].iter().all(|(status, _)| [200, 409, 503].contains(status)));
    assert_eq!(world.row(made.id()).await.revision, 2);
    assert_eq!(world.notices().await, ["endpoint_disabled", "endpoint_enabled"]);
}

#[tokio::test]
async fn a_stranger_finds_nothing_and_only_an_owner_may() {
    let world = World::new().await;
    let made = world.endpoint().await;
    for (call, expected) in [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Supervisor), 403)] {
        assert_eq!(world.enable(call, made.id()).await.0, expected);
    }
}
