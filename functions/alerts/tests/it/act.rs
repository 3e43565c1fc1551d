//! People see alerts, each within bounds, and act on them.

use alerts::alerts::{act, get};
use serde_json::{Value, json};
use shared::{
    alert::{Kind, State},
    gate::Role,
    http::Call,
    scenario::{Mapped, Owner},
    testing::{nobody, person, person_with, stranger, told},
    usage::ScenarioStatus,
};

use crate::{World, at, world::hours};

const NOW: &str = "2037-07-21T12:30:00Z";

/// Three scenarios in error: two of the client and one that is mapped to nobody.
async fn world() -> World {
    let world = World::new().await;
    for id in ["1", "2", "3"] {
        world
            .scenario(id, |scenario| {
                scenario.told = Some(crate::world::says(ScenarioStatus::Error, "2037-07-21T08:00:00Z"));
                if id == "3" {
                    scenario.mapping = vec![Mapped::default()];
                }
            })
            .await;
    }
    world.evaluate(at(NOW)).await;
    world
}

fn names(answer: &Value) -> Vec<&str> {
    let alerts = answer["data"]["alerts"].as_array().unwrap_or_else(|| panic!("{answer}"));
    alerts.iter().map(|alert| alert["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn everybody_sees_what_is_theirs() {
    let world = world().await;
    let inn = world.inn.to_string();
    let seen = async |call: Call| names(&world.listed(call.at(at(NOW)), "").await.1).len();
    assert_eq!(seen(world.owner()).await, 3);
    assert_eq!(seen(person(world.tenant, Role::Agent)).await, 2);
    assert_eq!(seen(person_with(world.tenant, Role::Owner, &[("client", &inn)])).await, 2);
    assert_eq!(seen(stranger()).await, 0);
    assert_eq!(told(get::handle(&world.alerts, nobody()).await).0, 401);
    let other = shared::id::ClientId::new();
    assert_eq!(world.listed(world.owner().at(at(NOW)), &format!("client_id={other}")).await.0, 404);
    let (status, answer) = world.listed(world.owner().at(at(NOW)), "state=closed&kind=noise&limit=0&colour=red").await;
    assert_eq!((status, answer["errors"].as_array().unwrap().len()), (400, 4), "{answer}");
    assert_eq!(world.listed(world.owner().at(at(NOW)), "cursor=forged").await.0, 400);

    let unmapped = world.alert(Kind::ScenarioStatus, "3").await.unwrap().id;
    for (call, status) in [
        (world.owner(), 200),
        (person(world.tenant, Role::Agent), 404),
        (person_with(world.tenant, Role::Owner, &[("client", &inn)]), 404),
        (stranger(), 404),
    ] {
        let call = call.with_part("id", unmapped).at(at(NOW));
        assert_eq!(told(get::handle(&world.alerts, call).await).0, status);
    }
    let call = world.owner().with_part("id", "nonsense").at(at(NOW));
    assert_eq!(told(get::handle(&world.alerts, call).await).0, 404);
}

#[tokio::test]
async fn a_list_comes_page_by_page_the_newest_first() {
    let world = world().await;
    world.runs("1", "2037-07-21", 14, (0, 30, 0)).await;
    world.evaluate(at(NOW) + hours(1)).await;
    let (mut kinds, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = world.listed(world.owner().at(at(NOW)), &format!("limit=1{cursor}")).await;
        kinds.push(page["data"]["alerts"][0]["kind"].as_str().unwrap().to_owned());
        match page["data"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(kinds, ["error_rate", "scenario_status", "scenario_status", "scenario_status"]);
    assert_eq!(names(&world.listed(world.owner().at(at(NOW)), "kind=error_rate").await.1), ["Scenario 1"]);
    assert!(names(&world.listed(world.owner().at(at(NOW)), "state=resolved").await.1).is_empty());
}

#[tokio::test]
async fn an_acknowledged_alert_is_told_at_its_end_alone() {
    let world = world().await;
    let alert = world.alert(Kind::ScenarioStatus, "1").await.unwrap();
    let call = || world.owner().with_part("id", alert.id).posting(&json!({})).at(at(NOW));
    let (status, answer) = told(act::acknowledge(&world.alerts, call()).await);
    assert_eq!(
        (status, &answer["data"]["state"], &answer["data"]["by"]),
        (200, &json!("acknowledged"), &json!("user-owner"))
    );
    assert_eq!(world.evaluate(at(NOW) + hours(24)).await.told, 0);
    world.scenario("1", |_| ()).await;
    world.evaluate(at(NOW) + hours(25)).await;
    assert_eq!(world.evaluate(at(NOW) + hours(26)).await.told, 1);
    assert_eq!(told(act::acknowledge(&world.alerts, call()).await).0, 409, "it is over");
}

#[tokio::test]
async fn a_muted_alert_is_silent_until_then() {
    let world = world().await;
    let alert = world.alert(Kind::ScenarioStatus, "1").await.unwrap();
    let mute = async |until: &str| {
        let call = world.owner().with_part("id", alert.id).posting(&json!({ "until": until })).at(at(NOW));
        told(act::mute(&world.alerts, call).await)
    };
    for wrong in ["2037-07-21T12:00:00Z", "2038-07-21T12:00:00Z", "tomorrow"] {
        assert_eq!(mute(wrong).await.0, 400, "{wrong}");
    }
    assert_eq!(mute("2037-07-23T12:00:00Z").await.1["data"]["state"], "muted");
    for later in [24, 48] {
        assert_eq!(world.evaluate(at(NOW) + hours(later)).await.told, 0, "it was told that it opened");
    }
    assert_eq!(world.alert(Kind::ScenarioStatus, "1").await.unwrap().state, State::Open);
}

#[tokio::test]
async fn what_ends_behind_a_mute_is_told_and_what_ends_within_is_not() {
    for (until, told_at_end) in [("2037-07-21T14:00:00Z", 3), ("2037-07-21T20:00:00Z", 2)] {
        let world = world().await;
        let alert = world.alert(Kind::ScenarioStatus, "1").await.unwrap();
        let call = world.owner().with_part("id", alert.id).posting(&json!({ "until": until })).at(at(NOW));
        assert_eq!(told(act::mute(&world.alerts, call).await).0, 200);
        for id in ["1", "2"] {
            world.scenario(id, |_| ()).await;
        }
        world.scenario("3", |scenario| scenario.mapping = vec![Mapped::default()]).await;
        world.evaluate(at(NOW) + hours(1)).await;
        assert_eq!(world.evaluate(at(NOW) + hours(2)).await.told, told_at_end, "{until}");
        assert_eq!(world.alert(Kind::ScenarioStatus, "1").await.unwrap().state, State::Resolved);
    }
}

#[tokio::test]
async fn a_person_and_an_evaluation_that_meet_tell_each_change_once() {
    let world = world().await;
    let alert = world.alert(Kind::ScenarioStatus, "1").await.unwrap();
    for id in ["1", "2"] {
        world.scenario(id, |_| ()).await;
    }
    world.scenario("3", |scenario| scenario.mapping = vec![Mapped::default()]).await;
    world.evaluate(at(NOW) + hours(1)).await;
    let call = || world.owner().with_part("id", alert.id).posting(&json!({})).at(at(NOW) + hours(2));
    let (turn, one, other) = tokio::join!(
        world.evaluate(at(NOW) + hours(2)),
        async { told(act::resolve(&world.alerts, call()).await) },
        async { told(act::resolve(&world.alerts, call()).await) },
    );
    let by_people = [&one, &other].into_iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(turn.told + by_people, 3, "{turn:?} {one:?} {other:?}");
    assert!([&one, &other].into_iter().all(|(status, _)| [200, 409, 503].contains(status)), "{one:?} {other:?}");
    assert_eq!(world.evaluate(at(NOW) + hours(3)).await.changed, 0);
}

#[tokio::test]
async fn one_that_somebody_has_resolved_is_told_once_and_opens_again_quietly_for_a_day() {
    let world = world().await;
    let alert = world.alert(Kind::ScenarioStatus, "1").await.unwrap();
    let call = || {
        let call = world.owner().with_part("id", alert.id).posting(&json!({})).at(at(NOW));
        call.with_header("idempotency-key", "once")
    };
    let (first, again) =
        (told(act::resolve(&world.alerts, call()).await), told(act::resolve(&world.alerts, call()).await));
    assert_eq!((first.0, &first), (200, &again));
    let over = world.alert(Kind::ScenarioStatus, "1").await.unwrap();
    assert_eq!(world.event(&over).await.unwrap().event_type, "alert.resolved");
    assert_eq!(world.evaluate(at(NOW) + hours(1)).await.told, 0);
    assert_eq!(world.alert(Kind::ScenarioStatus, "1").await.unwrap().state, State::Open);
    assert_eq!(world.evaluate(at(NOW) + hours(23)).await.told, 0);
    assert_eq!(world.evaluate(at(NOW) + hours(24)).await.told, 1);
    assert_eq!(world.evaluate(at(NOW) + hours(48)).await.told, 0);
}

#[tokio::test]
async fn strangers_and_agents_change_nothing() {
    let world = world().await;
    let alert = world.alert(Kind::ScenarioStatus, "1").await.unwrap();
    let inn = world.inn.to_string();
    for (call, status) in [
        (stranger(), 404),
        (person(world.tenant, Role::Agent), 403),
        (nobody(), 401),
        (person_with(world.tenant, Role::Supervisor, &[("client", &inn)]), 200),
    ] {
        let call = call.with_part("id", alert.id).posting(&json!({})).at(at(NOW));
        assert_eq!(told(act::acknowledge(&world.alerts, call).await).0, status);
    }
}

#[tokio::test]
async fn what_somebody_did_about_an_alert_ends_with_whom_the_scenario_runs_for() {
    let world = world().await;
    for (id, action) in [("1", "acknowledge"), ("2", "mute")] {
        let alert = world.alert(Kind::ScenarioStatus, id).await.unwrap();
        let call = world.owner().with_part("id", alert.id).at(at(NOW));
        let answer = match action {
            "acknowledge" => act::acknowledge(&world.alerts, call.posting(&json!({}))).await,
            _ => act::mute(&world.alerts, call.posting(&json!({ "until": "2037-08-21T12:00:00Z" }))).await,
        };
        assert_eq!(told(answer).0, 200);
        world
            .scenario(id, |scenario| {
                scenario.told = Some(crate::world::says(ScenarioStatus::Error, "2037-07-21T08:00:00Z"));
                scenario.mapping = vec![Mapped { owner: Owner::Company, ..Mapped::default() }];
            })
            .await;
    }
    // The one that was muted ends unheard; both open for the company.
    assert_eq!(world.evaluate(at(NOW) + hours(1)).await.told, 3);
    for id in ["1", "2"] {
        let alert = world.alert(Kind::ScenarioStatus, id).await.unwrap();
        assert_eq!((alert.state, alert.subject.owner), (State::Open, Owner::Company));
        assert_eq!((alert.by, alert.muted_until, alert.told), (None, None, true));
        assert_eq!(alert.opened_at, at("2037-07-21T13:00:00Z"));
    }
    assert_eq!(world.evaluate(at(NOW) + hours(1)).await.changed, 0);
}
