//! Who is told, how often, and that nothing is told twice or lost.

use jiff::Timestamp;
use shared::{
    alert::{Kind, Scope, State, Thresholds},
    event::{Content, Context, Form},
};

use crate::{World, at, world::hours};

const NOW: &str = "2037-07-21T12:30:00Z";

/// A tenant with a scenario that is in error.
async fn broken() -> World {
    let world = World::new().await;
    set(&world, true).await;
    world
}

async fn set(world: &World, broken: bool) {
    use shared::usage::ScenarioStatus::{Active, Error};
    let status = if broken { Error } else { Active };
    world.scenario("1", |scenario| scenario.told = Some(crate::world::says(status, "2037-07-21T08:00:00Z"))).await;
}

async fn state(world: &World) -> State {
    world.alert(Kind::ScenarioStatus, "1").await.unwrap().state
}

#[tokio::test]
async fn an_evaluation_that_is_repeated_changes_nothing() {
    let world = broken().await;
    assert_eq!((world.evaluate(at(NOW)).await.told, world.evaluate(at(NOW)).await.changed), (1, 0));
    set(&world, false).await;
    let next = at(NOW) + hours(1);
    assert_eq!((world.evaluate(next).await.changed, world.evaluate(next).await.changed), (1, 0));
    assert_eq!(state(&world).await, State::Open, "one hour without a breach, however often looked at");
}

#[tokio::test]
async fn evaluations_that_meet_tell_once() {
    let world = broken().await;
    let turns = futures::future::join_all((0..6).map(|_| world.evaluate(at(NOW)))).await;
    assert_eq!(turns.iter().map(|turn| turn.told).sum::<usize>(), 1);
    set(&world, false).await;
    let turns = futures::future::join_all((0..6).map(|_| world.evaluate(at(NOW) + hours(1)))).await;
    assert_eq!(turns.iter().map(|turn| turn.changed).sum::<usize>(), 1);
    let turns = futures::future::join_all((0..6).map(|_| world.evaluate(at(NOW) + hours(2)))).await;
    assert_eq!(turns.iter().map(|turn| turn.told).sum::<usize>(), 1);
}

#[tokio::test]
async fn an_alert_is_never_written_without_its_event_nor_the_event_without_it() {
    let world = broken().await;
    world.evaluate(at(NOW)).await;
    let alert = world.alert(Kind::ScenarioStatus, "1").await.unwrap();
    let event = world.event(&alert).await.unwrap();
    // As if the alert had been lost, and only the event were there: the next evaluation writes neither.
    world.table.delete(shared::key::alert(world.tenant, alert.id)).await.unwrap();
    assert_eq!(world.evaluate(at(NOW)).await.changed, 0);
    assert_eq!(world.alert(Kind::ScenarioStatus, "1").await, None);
    assert_eq!(event.trace, alert.trace);
    let body = |form| -> serde_json::Value {
        serde_json::from_str(&event.body(form, "test", &Context::default(), None).unwrap()).unwrap()
    };
    assert_eq!(body(Form::Document)["alert"]["kind"], "scenario_status");
    assert_eq!(body(Form::Slack)["text"], body(Form::Document)["title"]);
    assert_eq!(body(Form::Teams)["attachments"][0]["content"]["body"][1]["facts"][0]["value"], "Scenario 1");
    let Content::Alert { title, data, .. } = event.content else { panic!("an alert") };
    assert!(title.contains("Scenario 1") && data.contains(r#""change":"opened""#), "{title} {data}");
}

#[tokio::test]
async fn what_flaps_is_told_once_a_day() {
    let world = broken().await;
    let mut told = 0;
    for hour in 0..72 {
        set(&world, hour % 4 < 2).await;
        told += world.evaluate(at(NOW) + hours(hour)).await.told;
    }
    // It opens and ends every four hours. In three days it is told three times that it is open, and each time that it ends.
    assert_eq!(told, 6);
    for hour in 72..96 {
        set(&world, hour % 2 < 1).await;
        told += world.evaluate(at(NOW) + hours(hour)).await.told;
    }
    assert_eq!(told, 7, "a single hour without a breach ends nothing");
}

#[tokio::test]
async fn one_that_goes_on_is_told_once() {
    let world = broken().await;
    let mut hours_told: Vec<i64> = Vec::new();
    for hour in 0..60 {
        if world.evaluate(at(NOW) + hours(hour)).await.told > 0 {
            hours_told.push(hour);
        }
    }
    assert_eq!(hours_told, [0]);
}

#[tokio::test]
async fn a_muted_rule_opens_alerts_that_nobody_hears_of_until_it_ends() {
    let world = broken().await;
    let until: Timestamp = at(NOW) + hours(5);
    let rule = Thresholds::usual(Kind::ScenarioStatus);
    world.rule(Scope::Tenant, rule, |rule| rule.muted_until = Some(until)).await;
    for hour in 0..5 {
        assert_eq!(world.evaluate(at(NOW) + hours(hour)).await.told, 0);
    }
    assert_eq!(state(&world).await, State::Muted);
    assert_eq!(world.evaluate(until + hours(1)).await.told, 1);
    assert_eq!(state(&world).await, State::Open);
}

#[tokio::test]
async fn what_was_told_ends_unheard_while_its_rule_is_muted() {
    let world = broken().await;
    assert_eq!(world.evaluate(at(NOW)).await.told, 1);
    let rule = Thresholds::usual(Kind::ScenarioStatus);
    world.rule(Scope::Tenant, rule, |rule| rule.muted_until = Some(at(NOW) + hours(9))).await;
    set(&world, false).await;
    for hour in 1..4 {
        assert_eq!(world.evaluate(at(NOW) + hours(hour)).await.told, 0);
    }
    assert_eq!(state(&world).await, State::Resolved);
}

#[tokio::test]
async fn an_evaluation_that_is_killed_is_taken_up_by_the_next_and_tells_of_each_change_once() {
    use shared::usage::ScenarioStatus::{Active, Error};
    let world = World::new().await;
    let ids: Vec<String> = (1..=12).map(|n| n.to_string()).collect();
    let set = async |status| {
        for id in &ids {
            let told = crate::world::says(status, "2037-07-21T08:00:00Z");
            world.scenario(id, |scenario| scenario.told = Some(told)).await;
        }
    };
    let (mut told, mut cut) = (0, 0);
    for (status, hour) in [(Error, 0), (Active, 1), (Active, 2)] {
        set(status).await;
        let now = at(NOW) + hours(hour);
        for patience in 1..40 {
            let turn = tokio::time::timeout(std::time::Duration::from_millis(patience), world.evaluate(now)).await;
            cut += usize::from(turn.is_err());
        }
        world.evaluate(now).await;
        assert_eq!(world.evaluate(now).await.changed, 0);
        let is_open = status == Error || hour == 1;
        for id in &ids {
            let alert = world.alert(Kind::ScenarioStatus, id).await.unwrap();
            assert_eq!(alert.state, if is_open { State::Open } else { State::Resolved }, "{id}");
            assert_eq!(alert.revision, u32::try_from(hour).unwrap(), "written once an hour");
            told += usize::from(world.event(&alert).await.is_some());
        }
    }
    assert!(cut > 3, "{cut} were killed");
    assert_eq!(told, 24, "each alert's opening and end");
}

#[tokio::test]
async fn a_thousand_runs_that_fail_are_two_notices() {
    let world = World::new().await;
    world.scenario("1", |_| ()).await;
    let mut told = 0;
    for hour in 0..40 {
        let (date, of_day) = if hour < 23 { ("2037-07-21", hour + 1) } else { ("2037-07-22", hour - 23) };
        if hour < 20 {
            world.runs("1", date, of_day, (0, 50, 0)).await;
        }
        told += world.evaluate(at("2037-07-21T00:30:00Z") + hours(i64::from(hour))).await.told;
        if hour == 20 {
            world.runs("1", date, of_day, (9_500, 0, 0)).await;
        }
    }
    assert_eq!(told, 2);
}

#[tokio::test]
async fn a_rule_that_is_off_is_not_watched() {
    let world = broken().await;
    world.rule(Scope::Tenant, Thresholds::usual(Kind::ScenarioStatus), |rule| rule.enabled = false).await;
    assert_eq!(world.evaluate(at(NOW)).await.changed, 0);
    world.rule(Scope::Scenario("1".into()), Thresholds::usual(Kind::ScenarioStatus), |_| ()).await;
    assert_eq!(world.evaluate(at(NOW)).await.told, 1, "the scenario's own rule holds before the tenant's");
    world.rule(Scope::Scenario("1".into()), Thresholds::usual(Kind::ScenarioStatus), |rule| rule.enabled = false).await;
    world.evaluate(at(NOW) + hours(1)).await;
    assert_eq!(world.evaluate(at(NOW) + hours(2)).await.told, 1, "switched off, it ends");
}

#[tokio::test]
async fn the_alert_of_a_scenario_that_is_gone_ends() {
    let world = broken().await;
    world.evaluate(at(NOW)).await;
    world.table.delete(shared::key::scenario(world.tenant, "1")).await.unwrap();
    world.evaluate(at(NOW) + hours(1)).await;
    assert_eq!(world.evaluate(at(NOW) + hours(2)).await.told, 1);
}

#[tokio::test]
async fn every_tenant_is_judged_and_one_that_fails_keeps_no_other() {
    use alerts::evaluate::{self, Terms};
    let world = broken().await;
    let other = World::over(world.table.clone()).await;
    set(&other, true).await;
    let rows = shared::key::alert_rule(other.tenant, Kind::Silence, &Scope::Tenant);
    world.table.change(rows).or_new().set("scope", "nonsense").write().await.unwrap();
    assert!(evaluate::all(&world.table, at(NOW), Terms::default()).await.is_err());
    assert_eq!(state(&world).await, State::Open);
}

#[tokio::test]
async fn a_run_that_has_no_time_for_all_fails_so_that_it_is_repeated() {
    use alerts::evaluate::{self, Terms};
    use std::time::Duration;
    let world = broken().await;
    let terms = Terms { budget: Duration::ZERO, ..Terms::default() };
    assert!(evaluate::all(&world.table, at(NOW), terms).await.is_err());
    assert_eq!(world.alert(Kind::ScenarioStatus, "1").await, None);
    let terms = Terms { end: Duration::ZERO, ..Terms::default() };
    assert!(evaluate::all(&world.table, at(NOW), terms).await.is_err(), "a turn without an end is broken off");
    assert_eq!(evaluate::all(&world.table, at(NOW), Terms::default()).await.unwrap().told, 1);
}
