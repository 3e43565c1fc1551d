//! What a client says, and that nothing it says ends its connection.

use jiff::{SignedDuration, Timestamp};
use live::message;
use serde_json::{Value, json};
use shared::{gate::Role, testing::said};

use crate::world::{World, subscribe};

#[tokio::test]
async fn nonsense_is_answered_and_nothing_else_happens() {
    let world = World::new().await;
    world.owner("c1").await;
    for (nonsense, about) in [
        (json!("hello"), "object"),
        (json!([1]), "object"),
        (json!({}), "/action"),
        (json!({ "action": 7 }), "/action"),
        (json!({ "action": "dance" }), "subscribe, unsubscribe or ping"),
        (json!({ "action": "subscribe" }), "/channel"),
        (json!({ "action": "subscribe", "channel": "planet:earth" }), "booking:<id>"),
        (json!({ "action": "subscribe", "channel": "booking:" }), "booking:<id>"),
        (json!({ "action": "subscribe", "channel": format!("user:{}", "x".repeat(201)) }), "200"),
        (json!({ "action": "subscribe", "channel": "tenant", "since": -1 }), "/since"),
        (json!({ "action": "subscribe", "channel": "tenant", "since": "12" }), "/since"),
        (json!({ "action": "subscribe", "channel": "tenant", "since": 1 }), "last number of the channel, 0"),
        (json!({ "action": "ping", "surprise": 1 }), "/surprise"),
    ] {
        let told = world.owner_says("c1", nonsense.clone()).await;
        assert_eq!((told.len(), &told[0]["code"]), (1, &json!("invalid")), "{nonsense}");
        assert!(told[0]["detail"].as_str().unwrap().contains(about), "{nonsense}: {told:?}");
    }
    let mut broken = said(world.tenant, Role::Owner, "boss", "c1", &json!({}));
    broken.text = "{not json".into();
    message::handle(&world.message, broken).await.unwrap();

    assert!(world.kept.lock().unwrap().closed.is_empty());
    assert!(world.listener("c1").await.unwrap().channels.is_empty());
    assert_eq!(world.owner_says("c1", json!({ "action": "ping" })).await[0]["type"], "pong");
}

#[tokio::test]
async fn an_error_names_the_channel_that_it_is_about() {
    let world = World::new().await;
    world.opens(Role::Agent, "a1", "c1").await.unwrap();
    let told = world.says(Role::Agent, "a1", "c1", subscribe("tenant", 0)).await;
    assert_eq!((&told[0]["code"], &told[0]["channel"]), (&json!("forbidden"), &json!("tenant")));
}

#[tokio::test]
async fn an_eleventh_subscription_is_refused_and_one_of_the_ten_can_be_renewed() {
    let world = World::new().await;
    world.owner("c1").await;
    for n in 0..10 {
        let told = world.owner_says("c1", subscribe(&format!("booking:b{n}"), 0)).await;
        assert_eq!(told[0]["type"], "subscribed");
    }

    let told = world.owner_says("c1", subscribe("booking:b10", 0)).await;
    assert_eq!((&told[0]["code"], &told[0]["channel"]), (&json!("too_many_subscriptions"), &json!("booking:b10")));
    assert!(world.subscription("booking:b10", "c1").await.is_none());
    assert_eq!(world.owner_says("c1", subscribe("booking:b3", 0)).await[0]["type"], "subscribed");

    world.owner_says("c1", json!({ "action": "unsubscribe", "channel": "booking:b0" })).await;
    assert_eq!(world.owner_says("c1", subscribe("booking:b10", 0)).await[0]["type"], "subscribed");
}

#[tokio::test]
async fn subscriptions_that_come_at_once_are_ten_at_most() {
    let world = World::new().await;
    world.owner("c1").await;
    let all = futures::future::join_all((0..14).map(|n| {
        let said = said(world.tenant, Role::Owner, "boss", "c1", &subscribe(&format!("booking:b{n}"), 0));
        message::handle(&world.message, said)
    }));
    assert!(all.await.iter().all(Result::is_ok));

    let told = |kind: &str| world.told("c1").iter().filter(|message| message["type"] == kind).count();
    assert_eq!((told("subscribed"), told("error")), (10, 4));
    assert_eq!(world.listener("c1").await.unwrap().channels.len(), 10);
}

#[tokio::test]
async fn a_ping_tells_how_it_stands() {
    let world = World::new().await;
    world.bookings("b1", 3).await;
    world.owner("c1").await;
    world.owner_says("c1", json!({ "action": "subscribe", "channel": "booking:b1" })).await;
    world.owner_says("c1", subscribe("user:nobody", 0)).await;

    let told = world.owner_says("c1", json!({ "action": "ping" })).await;

    assert_eq!(told[0]["heads"], json!({ "booking:b1": 3, "user:nobody": 0 }));
    let listener = world.listener("c1").await.unwrap();
    assert_eq!(told[0]["expires_at"], json!(listener.connected_at + SignedDuration::from_hours(2)));
    assert!(told[0]["at"].is_string());
}

#[tokio::test]
async fn whoever_says_too_much_is_told_to_wait_and_stays_connected() {
    let world = World::new().await;
    world.owner("c1").await;
    let mut last = Value::Null;
    for _ in 0..70 {
        last = world.owner_says("c1", json!({ "action": "ping" })).await.remove(0);
    }
    assert_eq!(last["code"], "unavailable");
    assert!(last["detail"].as_str().unwrap().contains("too much"), "{last}");
    assert!(world.listener("c1").await.is_some());
}

#[tokio::test]
async fn what_was_missed_is_brought_twenty_times_a_minute_to_a_person() {
    let world = World::new().await;
    world.bookings("b1", 2).await;
    for connection in ["c1", "c2"] {
        world.owner(connection).await;
    }
    for n in 0..20 {
        let connection = if n % 2 == 0 { "c1" } else { "c2" };
        let told = world.owner_says(connection, subscribe("booking:b1", 0)).await;
        assert_eq!((told.len(), &told[0]["type"]), (3, &json!("subscribed")), "{n}");
    }

    let told = world.owner_says("c2", subscribe("booking:b1", 0)).await;
    assert_eq!((told.len(), &told[0]["code"], &told[0]["channel"]), (1, &json!("unavailable"), &json!("booking:b1")));
    assert!(told[0]["detail"].as_str().unwrap().contains("go on in"), "{told:?}");
    assert_eq!(world.subscription("booking:b1", "c2").await.unwrap().sent, 2, "what it follows stays");

    let told = world.owner_says("c2", subscribe("booking:b1", 2)).await;
    assert_eq!(told[0]["type"], "subscribed", "who lacks nothing costs nothing");
    world.opens(Role::Owner, "another", "c3").await.unwrap();
    assert_eq!(world.says(Role::Owner, "another", "c3", subscribe("booking:b1", 0)).await.len(), 3);
}

#[tokio::test]
async fn ten_channels_that_are_asked_for_at_once_come_at_once() {
    let world = World::new().await;
    for n in 0..10 {
        world.bookings(&format!("b{n}"), 1).await;
    }
    world.owner("c1").await;
    let all = futures::future::join_all((0..10).map(|n| {
        let said = said(world.tenant, Role::Owner, "boss", "c1", &subscribe(&format!("booking:b{n}"), 0));
        message::handle(&world.message, said)
    }));
    assert!(all.await.iter().all(Result::is_ok));
    assert!(world.told("c1").iter().all(|told| told["type"] != "error"), "{:?}", world.told("c1"));
}

#[tokio::test]
async fn a_ping_brings_no_more_of_what_was_missed_than_that_but_the_heads_always() {
    let mut world = World::new().await;
    world.bookings("b1", 44).await;
    world.owner("c1").await;
    world.message.most = 2;
    world.owner_says("c1", subscribe("booking:b1", 0)).await;

    let mut last = Vec::new();
    for _ in 0..20 {
        last = world.owner_says("c1", json!({ "action": "ping" })).await;
    }

    assert_eq!((last.len(), &last[0]["heads"]), (1, &json!({ "booking:b1": 44 })));
    assert_eq!(world.numbers("c1", "booking:b1"), crate::world::up_to(40));
}

#[tokio::test]
async fn nothing_is_sent_by_a_token_that_has_ended_and_who_speaks_then_is_closed() {
    let world = World::new().await;
    let until = Timestamp::now() + SignedDuration::from_secs(2);
    world.opens_until("boss", "c1", until).await;
    let told = world.owner_says("c1", subscribe("booking:b1", 0)).await;
    assert_eq!(told[0]["expires_at"], json!(until));
    world.owner("c2").await;
    world.owner_says("c2", subscribe("booking:b1", 0)).await;
    world.bookings("b1", 1).await;
    assert_eq!(world.numbers("c1", "booking:b1"), [1]);

    tokio::time::sleep(until.duration_since(Timestamp::now()).unsigned_abs()).await;
    world.bookings("b1", 1).await;

    assert_eq!(world.numbers("c1", "booking:b1"), [1]);
    assert_eq!(world.numbers("c2", "booking:b1"), [1, 2]);
    assert!(world.owner_says("c1", json!({ "action": "ping" })).await.is_empty());
    assert_eq!(world.kept.lock().unwrap().closed, ["c1"]);
    assert!(world.listener("c1").await.is_none() && world.subscription("booking:b1", "c1").await.is_none());
}

#[tokio::test]
async fn a_connection_that_nobody_knows_is_closed() {
    let world = World::new().await;
    let said = said(world.tenant, Role::Owner, "boss", "c9", &json!({ "action": "ping" }));
    message::handle(&world.message, said).await.unwrap();
    assert_eq!(world.kept.lock().unwrap().closed, ["c9"]);
}

#[tokio::test]
async fn the_end_of_a_connection_removes_all_of_it_once_and_again() {
    let world = World::new().await;
    world.owner("c1").await;
    world.owner("c2").await;
    world.owner_says("c1", subscribe("tenant", 0)).await;

    world.ends("c1").await;
    world.ends("c1").await;

    assert!(world.listener("c1").await.is_none());
    assert!(world.subscription("tenant", "c1").await.is_none());
    let left: Vec<_> =
        world.presence("boss").await.unwrap().connections.into_iter().map(|seat| seat.connection).collect();
    assert_eq!(left, ["c2"]);
}

#[tokio::test]
async fn a_connection_that_ends_while_it_subscribes_leaves_nothing() {
    for _ in 0..10 {
        let world = World::new().await;
        world.owner("c1").await;
        let subscribing = said(world.tenant, Role::Owner, "boss", "c1", &subscribe("tenant", 0));
        let _ = futures::join!(message::handle(&world.message, subscribing), world.ends("c1"));
        assert!(world.listener("c1").await.is_none());
        assert!(world.subscription("tenant", "c1").await.is_none());
    }
}
