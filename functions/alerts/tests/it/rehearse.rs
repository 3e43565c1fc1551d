//! A rule is rehearsed before it is made, and would have done what the evaluations do.

use alerts::rehearse;
use serde_json::{Value, json};
use shared::{
    alert::{Kind, Scope, State, Thresholds},
    gate::Role,
    http::Call,
    testing::{Units, person, person_with, stranger, table, told},
};

use crate::{
    World, at,
    world::{day, hours},
};

/// The end of a day in Lisbon.
const NOW: &str = "2037-07-21T22:40:00Z";

async fn ask(world: &World, call: Call, body: Value) -> (u16, Value) {
    told(rehearse::handle(&world.rehearsal, call.posting(&body).at(at(NOW))).await)
}

#[tokio::test]
async fn it_tells_when_a_rule_would_have_opened_and_ended() {
    let world = World::new().await;
    world.scenario("1", |_| ()).await;
    world.scenario("2", |_| ()).await;
    world.runs("1", "2037-07-10", 9, (10, 15, 0)).await;
    world.runs("2", "2037-07-20", 9, (300, 20, 0)).await;

    let (status, answer) = ask(&world, world.owner(), json!({ "kind": "error_rate" })).await;
    assert_eq!(status, 200, "{answer}");
    let alerts = answer["data"]["alerts"].as_array().unwrap();
    assert_eq!((alerts.len(), &answer["data"]["subjects"], &answer["data"]["notices"]), (1, &json!(2), &json!(2)));
    assert_eq!((&alerts[0]["scenario_id"], &alerts[0]["opened_at"]), (&json!("1"), &json!("2037-07-10T08:00:00Z")));
    assert_eq!(alerts[0]["resolved_at"], "2037-07-11T09:00:00Z");
    assert_eq!(alerts[0]["evidence"]["failed"], 15);

    let lower = json!({ "kind": "error_rate", "thresholds": { "percent": 3 }, "scope": { "scenario_id": "2" } });
    let (_, answer) = ask(&world, world.owner(), lower).await;
    assert_eq!(answer["data"]["alerts"][0]["opened_at"], "2037-07-20T08:00:00Z");
}

#[tokio::test]
async fn every_kind_can_be_rehearsed_for_every_scope_that_it_has() {
    let world = World::new().await;
    world.scenario("1", |scenario| scenario.daily_limit = Some(100)).await;
    world.runs("1", "2037-07-10", 9, (40, 0, 0)).await;
    world.runs("1", "2037-07-10", 15, (45, 0, 0)).await;
    for kind in Kind::ALL {
        for (scope, fits) in [
            (json!({}), true),
            (json!({ "client_id": world.inn }), true),
            (json!({ "scenario_id": "1" }), !kind.is_of_owner()),
        ] {
            let (status, answer) = ask(&world, world.owner(), json!({ "kind": kind, "scope": scope })).await;
            assert_eq!(status, if fits { 200 } else { 400 }, "{kind:?} {scope} {answer}");
        }
    }
    let (_, limit) = ask(&world, world.owner(), json!({ "kind": "limit" })).await;
    let alert = &limit["data"]["alerts"][0];
    assert_eq!(
        (&alert["opened_at"], &alert["evidence"]["threshold_percent"]),
        (&json!("2037-07-10T14:00:00Z"), &json!(80))
    );
}

#[tokio::test]
async fn it_says_what_the_evaluations_did() {
    let world = World::new().await;
    world.scenario("1", |_| ()).await;
    for (date, hour) in [("2037-07-19", 10), ("2037-07-20", 3), ("2037-07-20", 4), ("2037-07-20", 22)] {
        world.runs("1", date, hour, (15, 15, 0)).await;
    }
    let mut opened = Vec::new();
    for hour in 0..72 {
        let now = at("2037-07-18T23:59:59Z") + hours(hour);
        let before = world.alert(Kind::ErrorRate, "1").await;
        world.evaluate(now).await;
        let after = world.alert(Kind::ErrorRate, "1").await;
        let is_on =
            |alert: &Option<shared::alert::Alert>| alert.as_ref().is_some_and(|alert| alert.state != State::Resolved);
        if is_on(&after) && !is_on(&before) {
            opened.push(after.unwrap().opened_at.to_string());
        }
    }
    let (_, answer) = ask(&world, world.owner(), json!({ "kind": "error_rate" })).await;
    let rehearsed: Vec<_> =
        answer["data"]["alerts"].as_array().unwrap().iter().map(|alert| alert["opened_at"].as_str().unwrap()).collect();
    assert_eq!(opened, rehearsed);
}

#[tokio::test]
async fn what_has_a_narrower_rule_is_left_to_that() {
    let world = World::new().await;
    for id in ["1", "2"] {
        world.scenario(id, |_| ()).await;
        world.runs(id, "2037-07-10", 9, (10, 15, 0)).await;
    }
    let subjects = async |scope: Value| {
        let (_, answer) = ask(&world, world.owner(), json!({ "kind": "error_rate", "scope": scope })).await;
        (answer["data"]["subjects"].as_u64().unwrap(), answer["data"]["alerts"].as_array().unwrap().len())
    };
    world.rule(Scope::Scenario("1".into()), Thresholds::usual(Kind::ErrorRate), |rule| rule.enabled = false).await;
    assert_eq!((subjects(json!({})).await, subjects(json!({ "client_id": world.inn })).await), ((1, 1), (1, 1)));
    world.rule(Scope::Client(world.inn), Thresholds::usual(Kind::ErrorRate), |_| ()).await;
    assert_eq!((subjects(json!({})).await, subjects(json!({ "client_id": world.inn })).await), ((0, 0), (1, 1)));
    assert_eq!(subjects(json!({ "scenario_id": "1" })).await, (1, 1), "one that is made anew");
}

#[tokio::test]
async fn what_is_wrong_is_told_and_strangers_find_nothing() {
    let world = World::new().await;
    world.scenario("1", |_| ()).await;
    let of_one = json!({ "kind": "limit", "scope": { "scenario_id": "1" } });
    assert_eq!(ask(&world, stranger(), of_one).await.0, 404);
    let of_client = json!({ "kind": "limit", "scope": { "client_id": world.inn } });
    assert_eq!(ask(&world, stranger(), of_client).await.0, 404);
    let inn = world.inn.to_string();
    let limited = person_with(world.tenant, Role::Owner, &[("client", &inn)]);
    assert_eq!(ask(&world, limited, json!({ "kind": "limit" })).await.0, 403);
    assert_eq!(ask(&world, person(world.tenant, Role::Supervisor), json!({ "kind": "limit" })).await.0, 403);
    for wrong in [
        json!({}),
        json!({ "kind": "noise" }),
        json!({ "kind": "limit", "scope": { "scenario_id": "1", "client_id": world.inn } }),
        json!({ "kind": "silence", "thresholds": { "slack_minutes": 0 } }),
        json!({ "kind": "silence", "scope": "all", "thresholds": 7 }),
        json!({ "kind": 1, "colour": "red" }),
        json!([]),
    ] {
        assert_eq!(ask(&world, world.owner(), wrong.clone()).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn nothing_is_stored_and_the_price_of_one_scenario_is_small() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    world.scenario("1", |_| ()).await;
    for date in day("2037-05-25").series(jiff::ToSpan::days(1)).take(58) {
        world.runs("1", &date.to_string(), 9, (1, 0, 0)).await;
    }
    world.rule(Scope::Tenant, Thresholds::usual(Kind::Silence), |_| ()).await;
    units.take();
    let (status, _) = ask(&world, world.owner(), json!({ "kind": "silence", "scope": { "scenario_id": "1" } })).await;
    let (written, read) = units.take();
    assert_eq!((status, written), (200, 1.0), "the lease of calls alone");
    println!("a rehearsal of one scenario reads {read} units");
    assert!(read <= 35.0, "{read}");
    assert!(world.alert(Kind::Silence, "1").await.is_none());
}
