//! What one tenant's data may be, and what becomes of it: no other tenant feels it.

use std::collections::BTreeMap;

use alerts::evaluate::{self, Terms};
use futures::{StreamExt, stream};
use jiff::{Timestamp, ToSpan};
use shared::{
    alert::{Kind, Scope, State, Thresholds},
    key,
    run::RunDay,
    scenario::Owner,
    sheet::{Cell, Sheet, Subject},
    usage::{OperationType, ScenarioStatus},
};

use crate::{
    World, at,
    world::{day, hours, says},
};

const NOW: &str = "2037-07-21T12:30:00Z";

async fn breaks(world: &World, id: &str) {
    let told = says(ScenarioStatus::Error, "2037-07-21T08:00:00Z");
    world.scenario(id, |scenario| scenario.told = Some(told)).await;
}

#[tokio::test]
async fn an_interval_that_ends_behind_all_time_is_no_silence() {
    let world = World::new().await;
    for (n, interval) in (1..).zip([9_000_000_000_000, i64::MAX as u64, u64::MAX]) {
        let mut told = says(ScenarioStatus::Active, "2037-07-01T00:00:00Z");
        (told.scheduling, told.interval_s) = (Some("indefinitely".into()), Some(interval));
        world.scenario(&format!("{n}"), |scenario| scenario.told = Some(told)).await;
    }
    assert_eq!(world.evaluate(at(NOW)).await.changed, 0);
}

#[tokio::test]
async fn a_tenant_whose_evaluation_panics_keeps_no_other() {
    let world = World::new().await;
    breaks(&world, "1").await;
    let other = World::over(world.table.clone()).await;
    breaks(&other, "1").await;
    other
        .rule(Scope::Tenant, Thresholds::usual(Kind::ScenarioStatus), |rule| rule.muted_until = Some(Timestamp::MAX))
        .await;
    other.evaluate(at(NOW)).await;
    let mut alert = other.alert(Kind::ScenarioStatus, "1").await.unwrap();
    assert_eq!(alert.state, State::Muted);
    // No such time can be a day old.
    (alert.state, alert.told_at) = (State::Open, Some(Timestamp::MAX));
    other.table.put(&alert).await.unwrap();
    other.table.delete(key::alert_rule(other.tenant, Kind::ScenarioStatus, &Scope::Tenant)).await.unwrap();

    assert!(evaluate::all(&world.table, at(NOW), Terms::default()).await.is_err());
    assert_eq!(world.alert(Kind::ScenarioStatus, "1").await.unwrap().state, State::Open);
}

#[tokio::test]
async fn more_days_by_the_hour_than_can_be_read_leave_those_scenarios_as_they_are_and_no_others() {
    let world = World::new().await;
    for id in ["0001", "9999"] {
        world.scenario(id, |_| ()).await;
        world.runs(id, "2037-07-21", 10, (0, 30, 0)).await;
    }
    assert_eq!(world.evaluate(at(NOW)).await.told, 2);
    for id in ["0001", "9999"] {
        world.runs(id, "2037-07-21", 11, (3_000, 0, 0)).await;
    }
    breaks(&world, "9999").await;
    let (table, tenant, date) = (&world.table, world.tenant, day("2037-07-21"));
    let fill = |n: u32| async move {
        let change = table.change::<RunDay>(key::run_day(tenant, date, &n.to_string())).or_new();
        let change = change.set("tenant", tenant).set("scenario", n.to_string()).set("date", date);
        change.set("told_at", at(NOW)).set("_s", 1).set("_9s", 1).write().await.unwrap();
    };
    stream::iter(1_000..3_040).for_each_concurrent(16, fill).await;

    for hour in 1..=3 {
        world.evaluate(at(NOW) + hours(hour)).await;
    }

    let state = async |kind, id| world.alert(kind, id).await.map(|alert| alert.state);
    assert_eq!(state(Kind::ErrorRate, "0001").await, Some(State::Resolved), "what fits is judged");
    assert_eq!(state(Kind::ErrorRate, "9999").await, Some(State::Open), "nothing is known of the hours of the others");
    assert_eq!(state(Kind::ScenarioStatus, "9999").await, Some(State::Open), "what does not need them is judged");
    assert_eq!(state(Kind::Silence, "9999").await, None);
}

#[tokio::test]
async fn a_tenant_of_which_too_much_is_known_fails_alone() {
    let world = World::new().await;
    breaks(&world, "1").await;
    let other = World::over(world.table.clone()).await;
    breaks(&other, "1").await;
    let cell = || Cell { operations: 1, ..Cell::default() };
    let subject = |n: u32| Subject { operation_type: OperationType::General, by_id: true, scenario: n.to_string() };
    let cells: BTreeMap<Subject, Cell> = (0..7_000).map(|n| (subject(n), cell())).collect();
    for ago in 0..29 {
        let (tenant, date) = (other.tenant, day("2037-07-21") - ago.days());
        let sheet = Sheet { tenant, owner: Owner::Company, date, nth: 0, cells: cells.clone(), told_at: None };
        other.table.put(&sheet).await.unwrap();
    }

    assert!(evaluate::one(&other.table, other.tenant, at(NOW)).await.is_err());
    assert!(evaluate::all(&world.table, at(NOW), Terms::default()).await.is_err());
    assert_eq!(world.alert(Kind::ScenarioStatus, "1").await.unwrap().state, State::Open);
    assert_eq!(other.alert(Kind::ScenarioStatus, "1").await, None);
}
