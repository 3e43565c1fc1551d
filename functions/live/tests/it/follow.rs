//! What followers of a channel get: all of it, in order, once.

use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use live::follow;
use serde_json::json;
use shared::{boot::Changed, event, gate::Role, key, listener::Subscription};

use crate::world::{World, named, subscribe, up_to};

#[tokio::test]
async fn what_was_missed_comes_first_and_then_what_happens() {
    let world = World::new().await;
    world.bookings("b1", 5).await;
    world.owner("c1").await;

    let told = world.owner_says("c1", subscribe("booking:b1", 2)).await;
    world.bookings("b1", 2).await;

    assert_eq!((&told[0]["type"], &told[0]["since"], &told[0]["head"]), (&json!("subscribed"), &json!(2), &json!(5)));
    assert_eq!(world.numbers("c1", "booking:b1"), [3, 4, 5, 6, 7]);
    let event = &world.told("c1")[1]["event"];
    assert_eq!((&event["booking_event"]["id"], &event["origin"]), (&json!("b1"), &json!("live")));
    assert_eq!(event["booking_details"]["booking_number"], "BK-1");
    assert_eq!(event["system"]["environment"], "test");
}

#[tokio::test]
async fn without_since_only_what_happens_comes() {
    let world = World::new().await;
    world.bookings("b1", 3).await;
    world.owner("c1").await;

    let told = world.owner_says("c1", json!({ "action": "subscribe", "channel": "tenant" })).await;
    world.bookings("b1", 2).await;

    assert_eq!((&told[0]["since"], told.len()), (&json!(3), 1));
    assert_eq!(world.numbers("c1", "tenant"), [4, 5]);
}

#[tokio::test]
async fn a_replay_while_events_arrive_has_no_gap_and_no_double() {
    let world = World::new().await;
    world.bookings("b1", 60).await;
    let connections: Vec<String> = (0..8).map(|n| format!("c{n}")).collect();
    for (n, connection) in connections.iter().enumerate() {
        world.opens(Role::Owner, &format!("boss-{n}"), connection).await.unwrap();
    }

    let events: Vec<_> = (0..40).map(|_| world.booking("b1")).collect();
    let followers: Vec<_> = (0..4).map(|_| world.another_follower()).collect();
    let arriving = join_all(followers.iter().zip(events.chunks(10)).map(async |(deps, events)| {
        for event in events {
            event::accept(&world.table, event.clone()).await.unwrap();
            follow::handle(deps, vec![Changed::making(event)]).await.unwrap();
        }
    }));
    let subscribing = join_all(connections.iter().enumerate().map(async |(n, connection)| {
        tokio::time::sleep(Duration::from_millis(3 * n as u64)).await;
        world.says(Role::Owner, "boss", connection, subscribe("booking:b1", 0)).await;
    }));
    futures::join!(arriving, subscribing);

    for connection in &connections {
        assert_eq!(world.told(connection)[0]["type"], "subscribed");
        assert_eq!(world.numbers(connection, "booking:b1"), up_to(100), "{connection}");
    }
}

#[tokio::test]
async fn each_channel_of_a_connection_has_its_own_numbers() {
    let world = World::new().await;
    world.owner("c1").await;
    for channel in ["booking:b2", "user:u1", "provider:p1", "tenant"] {
        world.owner_says("c1", subscribe(channel, 0)).await;
    }
    world.bookings("b1", 3).await;
    world.bookings("b2", 2).await;

    assert_eq!(world.numbers("c1", "booking:b2"), [1, 2]);
    for channel in ["user:u1", "provider:p1", "tenant"] {
        assert_eq!(world.numbers("c1", channel), up_to(5), "{channel}");
    }
}

#[tokio::test]
async fn subscribing_again_replaces_and_unsubscribing_ends_it() {
    let world = World::new().await;
    world.owner("c1").await;
    world.owner_says("c1", subscribe("tenant", 0)).await;
    world.bookings("b1", 3).await;

    let again = world.owner_says("c1", subscribe("tenant", 1)).await;
    assert_eq!(again.iter().filter(|message| message["type"] == "event").count(), 2);
    world.bookings("b1", 1).await;
    assert_eq!(world.numbers("c1", "tenant"), [1, 2, 3, 2, 3, 4]);

    let told = world.owner_says("c1", json!({ "action": "unsubscribe", "channel": "tenant" })).await;
    assert_eq!(told, [json!({ "type": "unsubscribed", "channel": "tenant" })]);
    world.bookings("b1", 1).await;
    assert_eq!(world.numbers("c1", "tenant").len(), 6);
    assert!(world.subscription("tenant", "c1").await.is_none());
    assert!(world.listener("c1").await.unwrap().channels.is_empty());
    let told = world.owner_says("c1", json!({ "action": "unsubscribe", "channel": "tenant" })).await;
    assert_eq!(told[0]["type"], "unsubscribed", "what is not followed need not be left");
}

/// The lease of a subscription, as somebody who was killed left it.
async fn leave_lease(world: &World, lease: &str, lasts_ms: i64) {
    let until = Timestamp::now().as_millisecond() + lasts_ms;
    let held = world
        .table
        .change::<Subscription>(key::subscription(world.tenant, &named("tenant"), "c1"))
        .set("lease", lease)
        .set("leased_until", until)
        .send();
    held.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_another_holds_is_left_to_it_and_what_a_dead_one_held_comes_with_the_next_event() {
    let world = World::new().await;
    world.owner("c1").await;
    world.owner_says("c1", subscribe("tenant", 0)).await;
    leave_lease(&world, "somebody", 600).await;

    world.bookings("b1", 2).await;
    assert!(world.numbers("c1", "tenant").is_empty());
    assert_eq!(world.subscription("tenant", "c1").await.unwrap().wanted, 2);

    tokio::time::sleep(Duration::from_millis(650)).await;
    world.bookings("b1", 1).await;
    assert_eq!(world.numbers("c1", "tenant"), [1, 2, 3]);
}

#[tokio::test]
async fn a_follower_far_behind_comes_nearer_with_every_event_and_level_when_it_speaks() {
    let world = World::new().await;
    world.owner("c1").await;
    world.owner_says("c1", subscribe("tenant", 0)).await;
    leave_lease(&world, "somebody", 60_000).await;
    world.bookings("b1", 40).await;
    assert!(world.numbers("c1", "tenant").is_empty());

    leave_lease(&world, "somebody", -1).await;
    world.bookings("b1", 1).await;
    assert_eq!(world.numbers("c1", "tenant"), up_to(11), "the stream of all does not wait for the whole");
    world.bookings("b1", 2).await;
    assert_eq!(world.numbers("c1", "tenant"), up_to(33));
    world.owner_says("c1", json!({ "action": "ping" })).await;
    world.bookings("b1", 1).await;
    assert_eq!(world.numbers("c1", "tenant"), up_to(44));
}

#[tokio::test]
async fn an_event_whose_follower_was_killed_waits_for_its_own_lease_to_end() {
    let world = World::new().await;
    world.owner("c1").await;
    world.owner_says("c1", subscribe("tenant", 0)).await;
    let event = world.booking("b1");
    leave_lease(&world, &event.id.to_string(), 700).await;

    world.happens(&event).await;

    assert_eq!(world.numbers("c1", "tenant"), [1]);
    assert!(world.subscription("tenant", "c1").await.unwrap().lease.is_none());
}

#[tokio::test]
async fn a_slow_connection_holds_up_nobody_and_catches_up_when_it_speaks() {
    let world = World::new().await;
    for connection in ["c1", "c2"] {
        world.owner(connection).await;
        world.owner_says(connection, subscribe("tenant", 0)).await;
    }
    world.kept.lock().unwrap().slow.insert("c1".into());
    world.bookings("b1", 3).await;
    assert_eq!(world.numbers("c2", "tenant"), [1, 2, 3]);
    assert!(world.numbers("c1", "tenant").is_empty());

    world.kept.lock().unwrap().slow.clear();
    world.bookings("b1", 1).await;
    assert!(world.numbers("c1", "tenant").is_empty(), "it is left alone for a while");
    let told = world.owner_says("c1", json!({ "action": "ping" })).await;
    assert_eq!(world.numbers("c1", "tenant"), up_to(4));
    assert_eq!((&told[4]["type"], &told[4]["heads"]), (&json!("pong"), &json!({ "tenant": 4 })));
    world.bookings("b1", 1).await;
    assert_eq!(world.numbers("c1", "tenant"), up_to(5));
}

#[tokio::test]
async fn a_connection_that_is_gone_is_removed_with_all_it_follows() {
    let world = World::new().await;
    world.owner("c1").await;
    for channel in ["tenant", "booking:b1", "user:u1"] {
        world.owner_says("c1", subscribe(channel, 0)).await;
    }
    world.kept.lock().unwrap().gone.insert("c1".into());

    world.bookings("b1", 1).await;

    assert!(world.listener("c1").await.is_none());
    for channel in ["tenant", "booking:b1", "user:u1"] {
        assert!(world.subscription(channel, "c1").await.is_none(), "{channel}");
    }
    assert!(world.presence("boss").await.unwrap().connections.is_empty(), "its place is free");
}

#[tokio::test]
async fn a_subscription_without_its_connection_goes_with_the_next_event() {
    let world = World::new().await;
    world.owner("c1").await;
    world.owner_says("c1", subscribe("tenant", 0)).await;
    world.table.delete(key::listener(world.tenant, "c1")).await.unwrap();
    world.kept.lock().unwrap().gone.insert("c1".into());

    world.bookings("b1", 1).await;

    assert!(world.subscription("tenant", "c1").await.is_none());
}

#[tokio::test]
async fn an_event_too_large_for_a_message_comes_without_its_rows() {
    let world = World::new().await;
    world.owner("c1").await;
    world.owner_says("c1", subscribe("tenant", 0)).await;
    let mut large = world.booking("b1");
    if let event::Content::Booking { old_record, .. } = &mut large.content {
        *old_record = Some(json!({ "id": "b1", "note": "n".repeat(120_000) }).to_string());
    }
    world.happens(&large).await;
    let larger = json!({ "client_info": { "id": "c1", "note": "n".repeat(120_000) } });
    world.happens(&world.booking_of("b1", larger)).await;
    world.bookings("b1", 1).await;

    let told: Vec<_> = world.told("c1").split_off(1);
    assert_eq!(told.iter().map(|message| message["number"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    for shortened in &told[..2] {
        assert!(shortened.to_string().len() < 100_200);
        assert_eq!(shortened["event"]["truncated"], true);
        assert!(shortened["event"]["booking_event"].is_null());
        assert_eq!(shortened["event"]["table"], "bookings");
    }
    assert_eq!(told[0]["event"]["booking_details"]["id"], "b1");
    assert_eq!(told[2]["event"]["truncated"], json!(null));
}

#[tokio::test]
async fn a_number_whose_event_is_forgotten_still_has_its_place() {
    let world = World::new().await;
    world.bookings("b1", 1).await;
    let forgotten = world.booking("b1");
    world.happens(&forgotten).await;
    world.bookings("b1", 1).await;
    world.table.delete(key::event(world.tenant, forgotten.id)).await.unwrap();
    world.owner("c1").await;

    world.owner_says("c1", subscribe("tenant", 0)).await;

    assert_eq!(world.numbers("c1", "tenant"), [1, 2, 3]);
    let left = &world.told("c1")[2]["event"];
    assert_eq!((&left["event_id"], &left["truncated"]), (&json!(forgotten.id), &json!(true)));
}

#[tokio::test]
async fn a_long_replay_ends_with_the_heads_so_that_its_client_asks_for_the_rest() {
    let mut world = World::new().await;
    world.bookings("b1", 30).await;
    world.owner("c1").await;
    world.message.most = 12;
    world.owner_says("c1", subscribe("user:nobody", 0)).await;

    let told = world.owner_says("c1", subscribe("booking:b1", 0)).await;
    let heads = json!({ "booking:b1": 30, "user:nobody": 0 });
    assert_eq!((told.len(), &told[13]["type"], &told[13]["heads"]), (14, &json!("pong"), &heads));
    let told = world.owner_says("c1", json!({ "action": "ping" })).await;
    assert_eq!((told.len(), &told[12]["type"]), (13, &json!("pong")));
    world.owner_says("c1", subscribe("booking:b1", 24)).await;

    assert_eq!(world.numbers("c1", "booking:b1"), up_to(30));
}
