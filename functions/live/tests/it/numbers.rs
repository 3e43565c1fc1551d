//! Every event once, by one more than the last, whatever is repeated, meets or is killed.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use live::follow;
use serde_json::json;
use shared::{
    boot::Changed,
    event::{self, Content},
    id::AutomationId,
    key,
};

use crate::world::{World, up_to};

#[tokio::test]
async fn an_event_has_a_number_in_each_of_its_channels() {
    let world = World::new().await;
    world.bookings("b1", 2).await;
    world.happens(&world.booking_of("b2", json!({ "user_id": "u1" }))).await;

    let last = async |channel: &str| world.entries(channel).await.last().map_or(0, |entry| entry.number);
    assert_eq!(last("booking:b1").await, 2);
    assert_eq!(last("booking:b2").await, 1);
    assert_eq!(last("user:u1").await, 3);
    assert_eq!(last("user:c1").await, 2);
    assert_eq!(last("provider:p1").await, 2);
    assert_eq!(last("tenant").await, 3);
}

#[tokio::test]
async fn a_record_that_comes_again_changes_nothing() {
    let world = World::new().await;
    let (first, second) = (world.booking("b1"), world.booking("b1"));
    world.happens(&first).await;
    world.happens(&second).await;

    world.follow(&first).await.unwrap();
    follow::handle(&world.another_follower(), vec![Changed::making(&second)]).await.unwrap();

    let entries = world.entries("booking:b1").await;
    assert_eq!(entries.iter().map(|entry| entry.event).collect::<Vec<_>>(), [first.id, second.id]);
}

#[tokio::test]
async fn the_same_event_twice_at_once_is_numbered_once() {
    let world = World::new().await;
    let followers: Vec<_> = (0..4).map(|_| world.another_follower()).collect();
    for _ in 0..10 {
        let event = world.booking("b1");
        event::accept(&world.table, event.clone()).await.unwrap();
        let all = join_all(followers.iter().map(|deps| follow::handle(deps, vec![Changed::making(&event)]))).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
    }

    assert_eq!(world.entries("tenant").await.len(), 10);
    assert_eq!(world.entries("booking:b1").await.len(), 10);
}

#[tokio::test]
async fn many_events_of_one_channel_at_once_leave_no_gap() {
    let world = World::new().await;
    let followers: Vec<_> = (0..8).map(|_| world.another_follower()).collect();
    let events: Vec<_> = (0..64).map(|n| world.booking(if n % 2 == 0 { "b1" } else { "b2" })).collect();
    for event in &events {
        event::accept(&world.table, event.clone()).await.unwrap();
    }

    let all = join_all(followers.iter().zip(events.chunks(8)).map(async |(deps, events)| {
        for event in events {
            follow::handle(deps, vec![Changed::making(event)]).await.unwrap();
        }
    }));
    all.await;

    for (channel, many) in [("tenant", 64), ("booking:b1", 32), ("booking:b2", 32), ("provider:p1", 64)] {
        let entries = world.entries(channel).await;
        assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), up_to(many), "{channel}");
        let events: BTreeSet<_> = entries.iter().map(|entry| entry.event).collect();
        assert_eq!(events.len() as u64, many, "{channel}: an event twice");
    }
}

#[tokio::test]
async fn whoever_is_killed_anywhere_leaves_no_gap_and_no_double() {
    let world = World::new().await;
    world.owner("c1").await;
    world.owner_says("c1", crate::world::subscribe("tenant", 0)).await;
    for n in 0..20 {
        let event = world.booking("b1");
        event::accept(&world.table, event.clone()).await.unwrap();
        // Killed a little later each time, and brought again by the stream until it is done.
        for kill in 0..6 {
            let patience = Duration::from_micros(300 + 700 * ((n * 7 + kill * 3) % 11));
            let deps = world.another_follower();
            if let Ok(done) = tokio::time::timeout(patience, follow::handle(&deps, vec![Changed::making(&event)])).await
            {
                done.unwrap();
            }
        }
        world.follow(&event).await.unwrap();
    }

    let numbers: Vec<_> = world.entries("tenant").await.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, up_to(20));
    let mut got = world.numbers("c1", "tenant");
    let sent = got.len();
    got.dedup();
    assert_eq!(got, up_to(20), "in order, {sent} sent");
}

#[tokio::test]
async fn the_people_of_a_booking_event_are_those_of_its_booking() {
    let world = World::new().await;
    world.happens(&world.booking("b1")).await;
    world
        .happens(&world.event("booking_events", &json!({ "id": "e1", "booking_id": "b1", "event_type": "paid" })))
        .await;

    assert_eq!(world.entries("user:c1").await.len(), 2);
    assert_eq!(world.entries("provider:p1").await.len(), 2);
}

#[tokio::test]
async fn an_event_without_a_booking_has_no_channel_but_its_trace_knows_it() {
    let world = World::new().await;
    let client = world.event("clients", &json!({ "id": "c1", "name": "Ada" }));
    let mut execution = world.booking("b1");
    execution.content =
        Content::Automation { automation: AutomationId::new(), template: "t".into(), data: "{}".into() };
    for event in [&client, &execution] {
        world.happens(event).await;
        world.follow(event).await.unwrap();
        let noted = world.table.find_now(key::numbered(world.tenant, event.trace, event.id)).await.unwrap();
        assert!(noted.unwrap().numbers.is_empty());
    }

    assert!(world.entries("tenant").await.is_empty());
}
