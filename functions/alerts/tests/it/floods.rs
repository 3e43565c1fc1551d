//! Where much breaks at once, everything is listed at once, and told little by little.

use alerts::alerts::act;
use serde_json::json;
use shared::{
    alert::{Alert, Kind, Scope, State, Thresholds},
    scenario::Owner,
    sheet::{Cell, Sheet, Stated, Subject},
    testing::told,
    usage::{OperationType, ScenarioStatus},
};

use crate::{
    World, at,
    world::{cell, day, hours, says},
};

const NOW: &str = "2037-07-21T12:30:00Z";

async fn set(world: &World, status: ScenarioStatus) {
    for n in 1..=50 {
        let told = says(status, "2037-07-21T08:00:00Z");
        world.scenario(&n.to_string(), |scenario| scenario.told = Some(told)).await;
    }
}

async fn alerts(world: &World) -> Vec<Alert> {
    let ids = (1..=50).map(|n: i32| n.to_string());
    let read = ids.map(|id| async move { world.alert(Kind::ScenarioStatus, &id).await.unwrap() });
    futures::future::join_all(read).await
}

/// What an evaluation so many hours later tells, and what one that is repeated does.
async fn tells(world: &World, hour: i64) -> (usize, usize) {
    let now = at(NOW) + hours(hour);
    (world.evaluate(now).await.told, world.evaluate(now + hours(1) / 4).await.changed)
}

#[tokio::test]
async fn fifty_that_break_at_once_are_listed_at_once_and_told_twenty_an_hour_and_so_are_their_ends() {
    let world = World::new().await;
    set(&world, ScenarioStatus::Error).await;

    assert_eq!(tells(&world, 0).await, (20, 0));
    let (_, page) = world.listed(world.owner().at(at(NOW)), "limit=100").await;
    assert_eq!(page["data"]["alerts"].as_array().unwrap().len(), 50);
    assert_eq!([tells(&world, 1).await, tells(&world, 2).await, tells(&world, 3).await], [(20, 0), (10, 0), (0, 0)]);
    for alert in alerts(&world).await {
        assert_eq!((alert.told, alert.opened_at), (true, at("2037-07-21T12:00:00Z")));
        assert_eq!(world.event(&alert).await.unwrap().event_type, "alert.opened", "{}", alert.name);
    }

    set(&world, ScenarioStatus::Active).await;
    assert_eq!(tells(&world, 4).await, (0, 0));
    let ends = [tells(&world, 5).await, tells(&world, 6).await, tells(&world, 7).await, tells(&world, 8).await];
    assert_eq!(ends, [(20, 0), (20, 0), (10, 0), (0, 0)]);
    for alert in alerts(&world).await {
        assert_eq!(alert.state, State::Resolved);
        assert_eq!(world.event(&alert).await.unwrap().event_type, "alert.resolved", "{}", alert.name);
    }
}

#[tokio::test]
async fn what_is_over_before_it_was_told_of_ends_unheard() {
    let world = World::new().await;
    set(&world, ScenarioStatus::Error).await;
    assert_eq!(tells(&world, 0).await, (20, 0));
    set(&world, ScenarioStatus::Active).await;
    assert_eq!([tells(&world, 1).await, tells(&world, 2).await, tells(&world, 3).await], [(0, 0), (20, 0), (0, 0)]);
    assert!(alerts(&world).await.iter().all(|alert| alert.state == State::Resolved));
}

#[tokio::test]
async fn evaluations_that_meet_or_are_killed_tell_no_more_in_an_hour() {
    let world = World::new().await;
    set(&world, ScenarioStatus::Error).await;
    let turns = futures::future::join_all((0..4).map(|_| world.evaluate(at(NOW)))).await;
    assert_eq!(turns.iter().map(|turn| turn.told).sum::<usize>(), 20);

    let next = at(NOW) + hours(1);
    let mut cut = 0;
    for patience in (1..60).map(|n| 2 * n) {
        let turn = tokio::time::timeout(std::time::Duration::from_millis(patience), world.evaluate(next)).await;
        cut += usize::from(turn.is_err());
    }
    world.evaluate(next).await;
    assert!(cut > 0, "none was killed");
    assert_eq!(alerts(&world).await.iter().filter(|alert| alert.told).count(), 40);
}

#[tokio::test]
async fn limits_that_end_and_begin_with_their_day_are_no_more_either() {
    let world = World::new().await;
    let state = async |date: &str| {
        let stated = |n| Stated { name: format!("Intake {n}"), status: ScenarioStatus::Active, limit: Some(100) };
        let of = |n| {
            (
                Subject { operation_type: OperationType::General, by_id: true, scenario: format!("{n}") },
                Cell { stated: Some(stated(n)), ..cell(95, 95, 0) },
            )
        };
        let (tenant, owner, date) = (world.tenant, Owner::Client(world.inn), day(date));
        let sheet = Sheet { tenant, owner, date, nth: 0, cells: (1..=15).map(of).collect(), told_at: None };
        world.table.put(&sheet).await.unwrap();
    };
    state("2037-07-20").await;
    assert_eq!(tells(&world, 0).await, (15, 0));
    state("2037-07-21").await;
    // Ten of them end and begin in the first hour, the others in the next.
    assert_eq!([tells(&world, 1).await, tells(&world, 2).await, tells(&world, 3).await], [(20, 0), (10, 0), (0, 0)]);
}

/// A limit of which half is told, and as many failures in the next hour as may be told.
async fn busy() -> World {
    let world = World::new().await;
    world.scenario("limited", |scenario| scenario.daily_limit = Some(100)).await;
    world.runs("limited", "2037-07-21", 12, (50, 0, 0)).await;
    assert_eq!(world.evaluate(at(NOW)).await.told, 1);
    for n in 1..=20 {
        world.scenario(&n.to_string(), |_| ()).await;
        world.runs(&n.to_string(), "2037-07-21", 13, (0, 30, 0)).await;
    }
    world.runs("limited", "2037-07-21", 14, (30, 0, 0)).await;
    world
}

#[tokio::test]
async fn a_share_that_is_reached_when_enough_was_told_is_shown_at_once_and_told_an_hour_later() {
    let world = busy().await;
    assert_eq!(tells(&world, 1).await, (20, 0));
    let limit = async || world.alert(Kind::Limit, "limited").await.unwrap();
    assert_eq!((limit().await.breach.evidence["threshold_percent"].clone(), limit().await.told), (80.into(), true));
    assert_eq!(tells(&world, 2).await, (1, 0));
    let alert = limit().await;
    let event = world.event(&alert).await.unwrap();
    let body = event.body(shared::event::Form::Document, "test", &Default::default(), None).unwrap();
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["alert"]["change"], "escalated", "{body}");
    assert_eq!(tells(&world, 3).await, (0, 0));
}

#[tokio::test]
async fn one_that_somebody_looks_at_opens_again_when_its_next_share_is_told() {
    let world = busy().await;
    let limit = async || world.alert(Kind::Limit, "limited").await.unwrap();
    let acknowledge = async || {
        let call = world.owner().with_part("id", limit().await.id).posting(&json!({})).at(at(NOW));
        assert_eq!(told(act::acknowledge(&world.alerts, call).await).0, 200);
    };
    acknowledge().await;
    assert_eq!(tells(&world, 1).await, (20, 0));
    assert_eq!(limit().await.state, State::Acknowledged);
    assert_eq!(tells(&world, 2).await, (1, 0));
    assert_eq!(limit().await.state, State::Open);
    acknowledge().await;
    assert_eq!(tells(&world, 3).await, (0, 0));
    assert_eq!(limit().await.state, State::Acknowledged);
}

#[tokio::test]
async fn a_share_that_is_reached_behind_a_mute_is_told_when_that_ends_and_the_end_is_told_too() {
    let world = World::new().await;
    world.scenario("1", |scenario| scenario.daily_limit = Some(100)).await;
    world.runs("1", "2037-07-21", 12, (50, 0, 0)).await;
    assert_eq!(world.evaluate(at(NOW)).await.told, 1);
    let until = at(NOW) + hours(2);
    world.rule(Scope::Tenant, Thresholds::usual(Kind::Limit), |rule| rule.muted_until = Some(until)).await;
    world.runs("1", "2037-07-21", 13, (50, 0, 0)).await;
    assert_eq!([tells(&world, 1).await, tells(&world, 2).await], [(0, 0), (0, 0)]);
    assert_eq!(tells(&world, 3).await, (1, 0));
    assert_eq!(world.alert(Kind::Limit, "1").await.unwrap().breach.level, 100);
    assert_eq!(world.evaluate(at("2037-07-21T23:05:00Z")).await.told, 0);
    assert_eq!(world.evaluate(at("2037-07-22T00:05:00Z")).await.told, 1);
}
