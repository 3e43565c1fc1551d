//! Ten connections a person, and not one more.

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use live::connect;
use serde_json::json;
use shared::{Error, gate::Role, testing::said};

use crate::world::World;

#[tokio::test]
async fn the_eleventh_connection_of_a_person_is_refused() {
    let world = World::new().await;
    for n in 0..10 {
        world.owner(&format!("c{n}")).await;
    }
    assert!(matches!(world.opens(Role::Owner, "boss", "c10").await, Err(Error::TooMany { .. })));
    assert!(world.listener("c10").await.is_none());
    world.opens(Role::Owner, "somebody-else", "c11").await.unwrap();

    world.ends("c4").await;
    world.owner("c10").await;
}

#[tokio::test]
async fn twenty_at_once_are_ten() {
    let world = World::new().await;
    let all = join_all((0..20).map(|n| {
        let world = &world;
        async move { world.opens(Role::Owner, "boss", &format!("c{n}")).await }
    }));
    let admitted = all.await.iter().filter(|outcome| outcome.is_ok()).count();

    assert_eq!(admitted, 10);
    assert_eq!(world.presence("boss").await.unwrap().connections.len(), 10);
}

#[tokio::test]
async fn the_same_connection_opened_again_is_one() {
    let world = World::new().await;
    world.owner("c1").await;
    world.owner("c1").await;
    assert_eq!(world.presence("boss").await.unwrap().connections.len(), 1);
}

#[tokio::test]
async fn one_that_ended_without_a_word_makes_room() {
    let world = World::new().await;
    for n in 0..10 {
        let mut earlier = said(world.tenant, Role::Owner, "boss", &format!("c{n}"), &json!({}));
        earlier.now = Timestamp::now() - SignedDuration::from_secs(if n == 4 { 5 } else { 60 });
        connect::handle(&world.connect, earlier).await.unwrap();
    }
    world.kept.lock().unwrap().gone.extend(["c2", "c3", "c4"].map(Into::into));

    world.owner("c10").await;

    assert!(world.listener("c2").await.is_none() && world.listener("c3").await.is_none());
    assert!(world.listener("c4").await.is_some(), "it may be on its way in");
    assert_eq!(world.presence("boss").await.unwrap().connections.len(), 9);
}

#[tokio::test]
async fn connections_of_two_hours_ago_do_not_count() {
    let world = World::new().await;
    for n in 0..10 {
        let mut long_ago = said(world.tenant, Role::Owner, "boss", &format!("c{n}"), &json!({}));
        long_ago.now = Timestamp::now() - SignedDuration::from_mins(121);
        connect::handle(&world.connect, long_ago).await.unwrap();
    }
    world.owner("c10").await;
    assert_eq!(world.presence("boss").await.unwrap().connections.len(), 1);
}

#[tokio::test]
async fn whoever_connects_all_the_time_is_told_to_wait() {
    let world = World::new().await;
    let mut refused = 0;
    for _ in 0..80 {
        if world.opens(Role::Owner, "boss", "c1").await.is_err() {
            refused += 1;
        }
    }
    assert!(refused > 0);
}
