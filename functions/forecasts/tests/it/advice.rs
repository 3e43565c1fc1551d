//! What the last days suggest, and what they do not.

use jiff::ToSpan;
use serde_json::{Value, json};
use shared::{
    gate::Role,
    scenario::{Mapped, Owner},
    sheet::{Cell, Stated},
    testing::stranger,
    usage::ScenarioStatus,
};

use crate::world::{World, cell, now, today};

fn runs(succeeded: u64, empty: u64, failed: u64) -> Cell {
    let operations = succeeded - empty + (succeeded + failed) * 2;
    Cell { operations, centicredits: Some(100 * operations), succeeded, empty, failed, ..Cell::default() }
}

fn of<'s>(suggestions: &'s [Value], kind: &str) -> Vec<&'s Value> {
    suggestions.iter().filter(|one| one["kind"] == kind).collect()
}

#[tokio::test]
async fn a_schedule_that_finds_nothing_is_told_with_what_it_costs() {
    let world = World::new().await;
    world.price(None, jiff::civil::date(2026, 1, 1), "USD", "0.01").await;
    let inn = Owner::Client(world.inn);
    // 96 checks a day, 92 of them find nothing; the second and the fourth are started, the third finds
    // something each second time.
    let day = [(1, runs(96, 92, 0)), (2, runs(96, 92, 0)), (3, runs(96, 48, 0)), (4, runs(96, 92, 0))];
    world.days(inn, 30, |_| day.to_vec()).await;
    world.scenario(1, inn, |_| {}).await;
    world.scenario(2, inn, |scenario| scenario.told.as_mut().unwrap().scheduling = Some("immediately".into())).await;
    world.scenario(3, inn, |_| {}).await;
    world.scenario(4, inn, |scenario| scenario.told.as_mut().unwrap().scheduling = Some("on-demand".into())).await;

    let suggestions = world.advice("").await;

    let [one] = of(&suggestions, "polling_finds_nothing")[..] else { panic!("{suggestions:?}") };
    assert_eq!((&one["scenario_id"], &one["client_id"]), (&json!("1"), &json!(world.inn)));
    let evidence = &one["evidence"];
    assert_eq!(
        (&evidence["run_count"], &evidence["empty_count"], &evidence["empty_rate"]),
        (&json!(2_880), &json!(2_760), &json!(95.83))
    );
    assert_eq!((&evidence["interval_seconds"], &evidence["proposed_interval_seconds"]), (&json!(900), &json!(10_800)));
    assert_eq!(evidence["days"].as_array().unwrap().len(), 30);
    assert_eq!(evidence["empty_credits"], json!(2_760.0));
    // A twelfth of the checks is left.
    assert_eq!(one["saves"]["credits"], json!(2_640.0));
    assert_eq!(one["saves"]["cost"], json!({ "currency": "USD", "amount": 26.4 }));
}

#[tokio::test]
async fn failures_that_repeat_are_told_and_a_single_bad_day_is_not() {
    let world = World::new().await;
    let inn = Owner::Client(world.inn);
    let bad = |ago: i64| {
        vec![
            (1, if ago % 3 == 0 { runs(6, 0, 4) } else { runs(10, 0, 0) }),
            (2, if ago == 5 { runs(0, 0, 90) } else { runs(10, 0, 0) }),
            (3, if ago < 4 { runs(1, 0, 1) } else { Cell::default() }),
            (4, if ago % 3 == 0 { runs(999, 0, 1) } else { runs(1_000, 0, 0) }),
        ]
    };
    world.days(inn, 30, bad).await;
    for n in 1..=4 {
        world.scenario(n, inn, |_| {}).await;
    }

    let suggestions = world.advice(&format!("client_id={}", world.inn)).await;

    let [one] = of(&suggestions, "errors_repeat")[..] else { panic!("{suggestions:?}") };
    let evidence = &one["evidence"];
    assert_eq!(
        (&one["scenario_id"], &evidence["error_count"], &evidence["run_count"]),
        (&json!("1"), &json!(40), &json!(300))
    );
    assert_eq!((&evidence["error_rate"], evidence["days"].as_array().unwrap().len()), (&json!(13.33), 10));
    let at_least = evidence["error_rate_at_least"].as_f64().unwrap();
    assert!((9.5..10.5).contains(&at_least), "{at_least}");
    assert!(one["saves"]["credits"].as_f64().unwrap() > 0.0);
    assert_eq!(one["saves"]["cost"], json!(null), "no price held");
}

#[tokio::test]
async fn failures_name_the_hours_in_which_most_of_them_fell_also_of_a_day_of_25() {
    let world = World::new().await;
    for n in 1..=4 {
        world.scenario(n, Owner::Company, |_| {}).await;
    }
    let failed =
        |ago: i64| (1..=4).map(|n| (n, runs(10, 0, if ago % 5 == 0 { 11 - u64::from(n) } else { 0 }))).collect();
    world.days(Owner::Company, 30, failed).await;
    for n in 1..=4 {
        for ago in [5, 10, 15, 20, 25, 30] {
            let last = if ago == 30 { (24, 7) } else { (23, 1) };
            world.failed(n, today() - ago.days(), &[(3, 3), last, (9, 1), (4, 2)]).await;
        }
    }
    let suggestions = world.advice("").await;
    let told = of(&suggestions, "errors_repeat");
    let hours: Vec<_> =
        told.iter().map(|one| (one["scenario_id"].as_str().unwrap(), &one["evidence"]["hours"])).collect();
    let worst =
        json!([{ "hour": 3, "error_count": 18 }, { "hour": 4, "error_count": 12 }, { "hour": 24, "error_count": 7 }]);
    // Of the three that fail the most.
    assert_eq!(hours.len(), 4);
    for (scenario, hours) in hours {
        assert_eq!(hours, if scenario == "4" { &Value::Null } else { &worst }, "{scenario}");
    }
}

#[tokio::test]
async fn a_schedule_that_makes_no_sense_breaks_nothing() {
    let world = World::new().await;
    world.days(Owner::Company, 30, |_| (1..=3).map(|n| (n, runs(96, 96, 0))).collect()).await;
    for (n, interval) in [(1, 0), (2, u64::MAX), (3, 1)] {
        let interval_s = Some(interval);
        world.scenario(n, Owner::Company, |one| one.told.as_mut().unwrap().interval_s = interval_s).await;
    }
    let suggestions = world.advice("").await;
    let told = of(&suggestions, "polling_finds_nothing");
    let proposed: Vec<_> = told.iter().map(|one| &one["evidence"]["proposed_interval_seconds"]).collect();
    assert_eq!(proposed, [&Value::Null, &Value::Null, &json!(1_440)]);
}

#[tokio::test]
async fn of_very_many_suggestions_five_hundred_are_told() {
    let world = World::new().await;
    for n in 1..=501 {
        world.scenario(n, Owner::Company, |_| {}).await;
    }
    assert_eq!(world.advice("").await.len(), 500);
}

#[tokio::test]
async fn a_limit_that_is_near_is_told_with_one_that_idles() {
    let world = World::new().await;
    let inn = Owner::Client(world.inn);
    world.days(inn, 30, |ago| vec![(1, cell(if ago < 5 { 850 } else { 300 })), (2, cell(20))]).await;
    world.days(Owner::Company, 30, |_| vec![(3, cell(950))]).await;
    for (n, owner) in [(1, inn), (2, inn), (3, Owner::Company)] {
        world.scenario(n, owner, |scenario| scenario.daily_limit = Some(1_000)).await;
    }
    let suggestions = world.advice("").await;
    let [one] = of(&suggestions, "limit_is_near")[..] else { panic!("{suggestions:?}") };
    assert_eq!((&one["scenario_id"], &one["evidence"]["idle"]["scenario_id"]), (&json!("1"), &json!("2")));
    assert_eq!(
        (&one["evidence"]["operations_most"], one["evidence"]["days"].as_array().unwrap().len()),
        (&json!(850), 4)
    );
    assert_eq!(one["saves"], json!(null));
}

#[tokio::test]
async fn what_never_runs_and_what_waits_for_somebody_is_told() {
    let world = World::new().await;
    let inn = Owner::Client(world.inn);
    world.days(inn, 30, |_| vec![(1, cell(100)), (6, cell(10))]).await;
    world.scenario(1, inn, |_| {}).await;
    world.scenario(2, inn, |_| {}).await;
    world.scenario(3, inn, |scenario| scenario.told.as_mut().unwrap().status = ScenarioStatus::Disabled).await;
    world.scenario(4, inn, |scenario| scenario.created_at = now() - 24.hours()).await;
    world.scenario(5, inn, |scenario| scenario.told.as_mut().unwrap().gone_since = Some(now())).await;
    world.scenario(6, inn, |scenario| scenario.told.as_mut().unwrap().incomplete = Some(10)).await;

    let suggestions = world.advice("").await;

    let [idle] = of(&suggestions, "never_runs")[..] else { panic!("{suggestions:?}") };
    assert_eq!((&idle["scenario_id"], &idle["evidence"]["run_count"]), (&json!("2"), &json!(0)));
    let [waiting] = of(&suggestions, "incomplete_pile_up")[..] else { panic!("{suggestions:?}") };
    assert_eq!((&waiting["scenario_id"], &waiting["evidence"]["incomplete_count"]), (&json!("6"), &json!(10)));
}

#[tokio::test]
async fn advice_is_for_whoever_may_see_the_scenario() {
    let world = World::new().await;
    for (n, owner) in [(1, Owner::Client(world.inn)), (2, Owner::Client(world.spa)), (3, Owner::Company)] {
        world.scenario(n, owner, |_| {}).await;
    }
    let ids = async |call, query: &str| {
        let (status, answer) = world.advice_by(call, query).await;
        assert_eq!(status, 200, "{answer}");
        let all = answer["data"]["suggestions"].as_array().unwrap().clone();
        all.iter().map(|one| one["scenario_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(world.person(Role::Owner), "").await, ["1", "2", "3"]);
    assert_eq!(ids(world.person(Role::Agent), "").await, ["1", "2"]);
    assert_eq!(ids(world.limited_to(world.spa), "").await, ["2"]);
    assert_eq!(ids(world.person(Role::Owner), "client_id=company").await, ["3"]);
    assert_eq!(world.advice_by(world.limited_to(world.spa), "client_slug=inn").await.0, 404);
    assert_eq!(world.advice_by(stranger(), "client_slug=inn").await.0, 404);
    assert_eq!(ids(stranger(), "").await, Vec::<String>::new());
}

#[tokio::test]
async fn of_a_scenario_that_runs_for_somebody_else_by_now_nothing_of_today_is_told() {
    let world = World::new().await;
    let (inn, spa) = (Owner::Client(world.inn), Owner::Client(world.spa));
    // Up to ten days ago all of it was of the first client; of the second scenario a statement told, too.
    let stated = Stated { name: "As it was".into(), status: ScenarioStatus::Active, limit: Some(100) };
    let failing = |stated| Cell { stated, ..runs(96, 92, 10) };
    for ago in 11..=30 {
        world.day(inn, today() - ago.days(), [(1, failing(None)), (2, failing(Some(stated.clone())))]).await;
    }
    for n in [1, 2] {
        world
            .scenario(n, inn, |scenario| {
                let from = Some(today() - 10.days());
                scenario.mapping.push(Mapped { from, owner: spa, ..scenario.mapping[0].clone() });
                scenario.name = "As it is called now".into();
                scenario.told.as_mut().unwrap().incomplete = Some(99);
            })
            .await;
    }

    let suggestions = world.advice(&format!("client_id={}", world.inn)).await;
    let mut names: Vec<_> = suggestions.iter().map(|one| one["scenario_name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, ["1", "As it was"], "{suggestions:?}");
    assert!(of(&suggestions, "polling_finds_nothing").iter().all(|one| one["evidence"]["interval_seconds"].is_null()));
    assert_eq!(of(&suggestions, "incomplete_pile_up").len(), 0);

    // It has run in these days, though not for whom it runs now.
    let suggestions = world.advice(&format!("client_id={}", world.spa)).await;
    assert_eq!(of(&suggestions, "never_runs").len(), 0);
    let waiting = of(&suggestions, "incomplete_pile_up");
    assert!(waiting.len() == 2 && waiting.iter().all(|one| one["scenario_name"] == "As it is called now"));
}
