//! Ends are told before they come, and the dead are forgotten.

use jiff::{SignedDuration, Timestamp};
use live::{message, sweep};
use serde_json::json;
use shared::{gate::Role, testing::said};

use crate::world::{World, subscribe};

/// A connection, opened now, and a sweep so many minutes later.
struct Clock {
    world: World,
    opened: Timestamp,
}

impl Clock {
    async fn new() -> Self {
        let world = World::new().await;
        world.owner("c1").await;
        let opened = world.listener("c1").await.unwrap().connected_at;
        Self { world, opened }
    }

    fn at(&self, minutes: i64) -> Timestamp {
        self.opened + SignedDuration::from_mins(minutes)
    }

    async fn swept(&self, minutes: i64) -> (u32, u32) {
        let swept = sweep::at(&self.world.sweep, self.at(minutes)).await.unwrap();
        (swept.told, swept.removed)
    }

    async fn speaks(&self, minutes: i64) {
        let mut ping = said(self.world.tenant, Role::Owner, "boss", "c1", &json!({ "action": "ping" }));
        ping.now = self.at(minutes);
        message::handle(&self.world.message, ping).await.unwrap();
    }

    fn closings(&self) -> Vec<serde_json::Value> {
        self.world.told("c1").into_iter().filter(|message| message["type"] == "closing").collect()
    }
}

#[tokio::test]
async fn silence_is_told_once_and_then_ends_the_connection() {
    let clock = Clock::new().await;
    assert_eq!(clock.swept(7).await, (0, 0));
    assert_eq!(clock.swept(8).await, (1, 0));
    assert_eq!(clock.swept(9).await, (0, 0));
    let closing = &clock.closings()[0];
    assert_eq!((&closing["reason"], &closing["closes_at"]), (&json!("idle"), &json!(clock.at(10))));

    assert_eq!(clock.swept(10).await, (0, 1));

    assert_eq!(clock.world.kept.lock().unwrap().closed, ["c1"]);
    assert!(clock.world.listener("c1").await.is_none());
    assert!(clock.world.presence("boss").await.unwrap().connections.is_empty());
    assert_eq!(clock.swept(11).await, (0, 0));
    assert_eq!(clock.closings().len(), 1);
}

#[tokio::test]
async fn whoever_speaks_stays_and_is_told_of_the_next_silence() {
    let clock = Clock::new().await;
    clock.swept(8).await;
    clock.speaks(9).await;
    assert_eq!(clock.swept(10).await, (0, 0));
    assert_eq!(clock.swept(16).await, (0, 0));
    assert_eq!(clock.swept(17).await, (1, 0));
    assert_eq!(clock.closings()[1]["closes_at"], json!(clock.at(19)));
}

#[tokio::test]
async fn the_end_of_two_hours_is_told_five_minutes_before() {
    let clock = Clock::new().await;
    for minutes in (4..=112).step_by(4) {
        clock.speaks(minutes).await;
        assert_eq!(clock.swept(minutes + 1).await, (0, 0), "minute {minutes}");
    }
    clock.speaks(114).await;
    assert_eq!(clock.swept(115).await, (1, 0));
    assert_eq!(clock.swept(116).await, (0, 0));
    let closing = &clock.closings()[0];
    assert_eq!((&closing["reason"], &closing["closes_at"]), (&json!("two_hours"), &json!(clock.at(120))));
    clock.speaks(119).await;
    assert_eq!(clock.swept(120).await, (0, 1));
    assert!(clock.world.listener("c1").await.is_none());
}

#[tokio::test]
async fn the_end_of_the_token_is_told_five_minutes_before_and_ends_the_connection() {
    let clock = Clock::new().await;
    clock.world.opens_until("boss", "c2", clock.at(60)).await;
    for minutes in (4..=54).step_by(5) {
        let mut ping = said(clock.world.tenant, Role::Owner, "boss", "c2", &json!({ "action": "ping" }));
        ping.now = clock.at(minutes);
        message::handle(&clock.world.message, ping).await.unwrap();
        clock.speaks(minutes).await;
    }
    assert_eq!(clock.swept(54).await, (0, 0));
    assert_eq!(clock.swept(56).await, (1, 0));
    assert_eq!(clock.swept(57).await, (0, 0));
    let closing = clock.world.told("c2").pop().unwrap();
    assert_eq!(
        (&closing["type"], &closing["reason"], &closing["closes_at"]),
        (&json!("closing"), &json!("token_expired"), &json!(clock.at(60)))
    );
    assert!(clock.closings().is_empty(), "the other one has no such token");

    assert_eq!(clock.swept(60).await, (0, 1));
    assert_eq!(clock.world.kept.lock().unwrap().closed, ["c2"]);
    assert!(clock.world.listener("c2").await.is_none());
    assert!(clock.world.listener("c1").await.is_some());
}

#[tokio::test]
async fn one_whose_end_nobody_told_is_found_when_it_is_spoken_to() {
    let clock = Clock::new().await;
    clock.world.owner_says("c1", subscribe("tenant", 0)).await;
    clock.world.kept.lock().unwrap().gone.insert("c1".into());

    assert_eq!(clock.swept(9).await, (0, 1));

    assert!(clock.world.listener("c1").await.is_none());
    assert!(clock.world.subscription("tenant", "c1").await.is_none());
    assert!(clock.world.presence("boss").await.unwrap().connections.is_empty());
}

#[tokio::test]
async fn two_sweeps_at_once_remove_once_and_a_broken_connection_keeps_nobody_waiting() {
    let clock = Clock::new().await;
    clock.world.opens(Role::Owner, "other", "c2").await.unwrap();
    clock.world.kept.lock().unwrap().slow.insert("c1".into());
    let at = clock.at(9);
    assert!(sweep::at(&clock.world.sweep, at).await.is_err(), "it is tried again");
    assert_eq!(clock.world.told("c2")[0]["reason"], "idle");

    clock.world.kept.lock().unwrap().slow.clear();
    let at = clock.at(11);
    let (one, other) = futures::join!(sweep::at(&clock.world.sweep, at), sweep::at(&clock.world.sweep, at));
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    assert!(clock.world.listener("c1").await.is_none() && clock.world.listener("c2").await.is_none());
}
