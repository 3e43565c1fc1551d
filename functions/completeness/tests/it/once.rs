//! Every version of a row arrives exactly once: webhooks are lost, late, and come again; runs are killed anywhere.

use std::{collections::BTreeMap, time::Duration};

use completeness::reconcile::{self, Terms};
use jiff::SignedDuration;
use local::standin::{Loss, RowChange};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use shared::event::Origin;

use crate::world::{PROJECT, World, rows};

/// The lease of a run that was killed is over after this.
const LEASE_MINUTES: i64 = 6;

/// Each version of a row that the source had, and how often it is an event.
async fn times(world: &World, versions: &[Value]) -> BTreeMap<String, usize> {
    let mut times: BTreeMap<String, usize> = versions.iter().map(|row| (row.to_string(), 0)).collect();
    for event in world.events().await {
        *times.entry(rows(&event).0.to_string()).or_default() += 1;
    }
    times
}

async fn assert_once(world: &World, versions: &[Value]) {
    let times = times(world, versions).await;
    let wrong: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:?}", wrong.len(), times.len());
    assert_eq!(times.len(), versions.len());
}

#[tokio::test]
async fn a_webhook_that_comes_after_the_repair_is_known() {
    let mut world = World::comparing().await;
    world.pass(1);
    let mut versions = vec![world.change(world.new_booking("b1")).await.record];
    world.arrive().await;
    for status in ["confirmed", "cancelled"] {
        world.pass(1);
        versions.push(world.change(RowChange::update("bookings", world.booking("b1", status))).await.record);
    }
    versions.push(world.change(world.new_booking("b2")).await.record);
    world.pass(1);
    versions.push(world.change(RowChange::update("bookings", world.booking("b2", "confirmed"))).await.record);
    versions.push(world.change(world.new_event(41)).await.record);
    let late = world.webhooks().await;
    world.pass(10);
    world.reconcile().await;
    assert_eq!(world.events().await.len(), 4, "the first, and what each row is now");
    world.pass(1);

    let mut known = Vec::new();
    for webhook in &late {
        known.push(world.receive(webhook).await);
    }

    // The versions in between come now; the last of b1 and of b2 were told, b2 as new.
    assert_eq!(known, [false, true, false, true, true]);
    assert_once(&world, &versions).await;
}

#[tokio::test]
async fn a_webhook_that_the_stream_has_not_told_of_is_not_doubled() {
    let mut world = World::comparing().await;
    world.pass(1);
    world.change(world.new_booking("b1")).await;
    world.pass(1);
    world.change(RowChange::update("bookings", world.booking("b1", "confirmed"))).await;
    for webhook in world.webhooks().await {
        world.receive(&webhook).await;
    }
    world.pass(10);

    // Nothing is kept yet: the stream is behind.
    world.reconcile().await;

    assert_eq!(world.events().await.len(), 2);
    let counted = world.counted().await;
    assert_eq!((counted.live.n, counted.repaired.n), (1, 0), "it was live after all");
}

#[tokio::test]
async fn killed_anywhere_nothing_is_lost_doubled_or_counted_twice() {
    let mut random = StdRng::seed_from_u64(7);
    let mut world = World::comparing().await;
    let project = local::standin::Project { max_rows: Some(20), ..Default::default() };
    world.source.set_project(PROJECT, &project).await.unwrap();
    let mut versions = Vec::new();
    for round in 0..12 {
        world.pass(1);
        for n in 0..15 {
            world.now += SignedDuration::from_millis(1);
            let loss = if random.random_bool(0.5) { Loss::All } else { Loss::None };
            world.source.lose_webhooks(PROJECT, loss).await.unwrap();
            versions.push(world.change(world.new_booking(&format!("b{round}-{n}"))).await.record);
        }
        world.arrive().await;
        world.pass(LEASE_MINUTES);
        let patience = Duration::from_millis(random.random_range(1..60));
        let run = reconcile::all(&world.deps, world.now, Terms::default());
        let _ = tokio::time::timeout(patience, run).await;
        if random.random_bool(0.5) {
            world.stream().await;
        }
    }
    world.pass(LEASE_MINUTES);

    world.reconcile().await;

    assert_once(&world, &versions).await;
    let events = world.events().await;
    let repaired = events.iter().filter(|event| event.origin == Origin::Reconciled).count() as u64;
    let counted = world.counted().await;
    assert_eq!((counted.live.n, counted.repaired.n), (versions.len() as u64 - repaired, repaired));
}

/// Two hours of a business whose webhooks are lost at random, come late at random, some twice, while the stream lags.
#[tokio::test]
async fn at_random_every_version_arrives_exactly_once() {
    for seed in 0..3 {
        two_hours(seed).await;
    }
}

async fn two_hours(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut world = World::comparing().await;
    world.source.lose_webhooks(PROJECT, Loss::Share { share: 0.3, seed }).await.unwrap();
    let mut versions = Vec::new();
    let mut on_their_way: Vec<(i64, Vec<u8>)> = Vec::new();
    for minute in 0..120i64 {
        world.pass(1);
        for n in 0..3 {
            world.now += SignedDuration::from_micros(1);
            versions.push(world.change(world.new_booking(&format!("b{minute}-{n}"))).await.record);
        }
        // A row that changes again before it was compared leaves nothing to compare: so none does within half an hour.
        if minute >= 30 {
            let update = RowChange::update("bookings", world.booking(&format!("b{}-0", minute - 30), "confirmed"));
            versions.push(world.change(update).await.record);
        }
        versions.push(world.change(world.new_event(u64::try_from(minute).unwrap())).await.record);
        for webhook in world.webhooks().await {
            let late = if random.random_bool(0.1) { random.random_range(1..30) } else { 0 };
            if random.random_bool(0.05) {
                on_their_way.push((minute + late + random.random_range(0..20), webhook.clone()));
            }
            on_their_way.push((minute + late, webhook));
        }
        let (due, later) = std::mem::take(&mut on_their_way).into_iter().partition(|(at, _)| *at <= minute);
        on_their_way = later;
        let due: Vec<(i64, Vec<u8>)> = due;
        for (_, webhook) in due {
            world.receive(&webhook).await;
        }
        if random.random_bool(0.8) {
            world.stream().await;
        }
        if minute % 10 == 9 {
            world.run().await;
        }
    }
    for (_, webhook) in on_their_way {
        world.receive(&webhook).await;
    }
    world.stream().await;
    world.pass(15);

    world.reconcile().await;

    assert_once(&world, &versions).await;
    let repaired = world.events().await.iter().filter(|event| event.origin == Origin::Reconciled).count() as u64;
    let counted = world.counted().await;
    assert!(repaired > 100, "{repaired}");
    assert_eq!((counted.live.n, counted.repaired.n), (versions.len() as u64 - repaired, repaired));
}
