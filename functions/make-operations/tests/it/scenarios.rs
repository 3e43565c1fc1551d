//! Scenarios are listed as soon as they are heard of, and are mapped from a day on.

use jiff::{ToSpan, civil::date};
use serde_json::{Value, json};
use shared::{
    gate::Role,
    key,
    scenario::{Mapped, Owner, Told},
    testing::{Units, nobody, person, person_with, stranger, table},
    usage::ScenarioStatus,
};

use crate::{
    World,
    desk::{body, execution, later},
    pointers,
    world::now,
};

async fn heard(world: &World, id: &str, days: &[&str]) {
    let runs = days.iter().map(|day| execution(&format!("{day}T10:00:00Z"), json!({}))).collect();
    let mut body = body(runs);
    (body["scenario_id"], body["scenario_name"]) = (json!(id), json!(format!("Scenario {id}")));
    world.hear(body).await;
}

fn ids(answer: &Value) -> Vec<&str> {
    let scenarios = answer["data"]["scenarios"].as_array().unwrap_or_else(|| panic!("{answer}"));
    scenarios.iter().map(|scenario| scenario["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_new_one_is_listed_as_unmapped() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-21"]).await;
    heard(&world, "2", &["2026-07-21"]).await;
    world.map("2", json!({ "client_slug": "inn", "operation_type": "call", "minutes_saved": 2.5 })).await;

    let (status, all) = world.scenarios(world.owner(), "").await;

    assert_eq!((status, ids(&all), &all["data"]["next_cursor"]), (200, vec!["1", "2"], &Value::Null));
    let (one, two) = (&all["data"]["scenarios"][0], &all["data"]["scenarios"][1]);
    assert_eq!(
        (&one["owner"], &one["client_id"], &one["name"]),
        (&json!("unmapped"), &Value::Null, &json!("Scenario 1"))
    );
    assert_eq!((&two["owner"], &two["client_id"]), (&json!("client"), &json!(world.inn)));
    assert_eq!((&two["operation_type"], &two["minutes_saved"]), (&json!("call"), &json!(2.5)));
    assert_eq!(ids(&world.scenarios(world.owner(), "mapped=false").await.1), ["1"]);
    assert_eq!(ids(&world.scenarios(world.owner(), "mapped=true").await.1), ["2"]);
    let of = |client| format!("client_id={client}");
    assert_eq!(ids(&world.scenarios(world.owner(), &of(world.inn)).await.1), ["2"]);
    assert!(ids(&world.scenarios(world.owner(), &of(world.spa)).await.1).is_empty());
}

#[tokio::test]
async fn a_long_list_comes_page_by_page_and_filters_hold() {
    let world = World::new().await;
    let runs: Value =
        (0..130).map(|n| execution("2026-07-21T10:00:00Z", json!({ "scenario_id": format!("{n:03}") }))).collect();
    world.hear(json!({ "executions": runs })).await;
    world.map("129", json!({ "company": true })).await;
    for (query, expected) in [("limit=100", 130), ("limit=7&mapped=false", 129), ("mapped=true&limit=1", 1)] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let (_, answer) = world.scenarios(world.owner(), &format!("{query}{cursor}")).await;
            seen.extend(ids(&answer).into_iter().map(ToOwned::to_owned));
            match answer["data"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert!(seen.is_sorted() && seen.len() == expected, "{query}: {seen:?}");
    }
}

#[tokio::test]
async fn one_is_shown_with_its_latest_run_and_what_make_says() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-20", "2026-07-21", "2026-07-19"]).await;
    let told = Told {
        status: ScenarioStatus::Error,
        team: Some(27),
        scheduling: Some("indefinitely".into()),
        interval_s: Some(900),
        incomplete: Some(2),
        gone_since: None,
        at: now(),
    };
    world.table.change(key::scenario(world.tenant, "1")).set("told", told).write().await.unwrap();

    let (status, answer) = world.scenario(world.owner(), "1").await;

    let data = &answer["data"];
    assert_eq!((status, &data["latest_run"]["started_at"]), (200, &json!("2026-07-21T10:00:00Z")));
    assert_eq!(
        (&data["status"], &data["interval_seconds"], &data["incomplete_runs"]),
        (&json!("error"), &json!(900), &json!(2))
    );
    assert_eq!(data["etag"], world.stored_scenario("1").await.etag());
    for unknown in ["nobody", "", &"x".repeat(2_000)] {
        assert_eq!(world.scenario(world.owner(), unknown).await.0, 404);
    }
}

#[tokio::test]
async fn a_mapping_holds_from_its_day_on_and_leaves_what_was_before() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-18", "2026-07-20", "2026-07-22"]).await;
    world.refold(later()).await;
    let (status, first) = world.map("1", json!({ "client_slug": "inn", "from": "2026-07-21" })).await;
    assert_eq!((status, &first["data"]["history"][0]["from"]), (200, &Value::Null), "the first one holds for all days");
    assert_eq!(world.noted().await, [date(2026, 7, 18), date(2026, 7, 20), date(2026, 7, 22)]);
    world.refold(later()).await;

    let (status, answer) =
        world.map("1", json!({ "company": true, "from": "2026-07-20", "operation_type": "admin" })).await;

    assert_eq!(status, 200, "{answer}");
    let history: Vec<_> =
        answer["data"]["history"].as_array().unwrap().iter().map(|one| (&one["from"], &one["owner"])).collect();
    assert_eq!(history, [(&Value::Null, &json!("client")), (&json!("2026-07-20"), &json!("company"))]);
    assert_eq!(world.noted().await, [date(2026, 7, 20), date(2026, 7, 22)], "the 18th stays as it is");
    world.refold(later()).await;
    let owners: Vec<_> = world.cells().await.into_keys().map(|(owner, date, _)| (date.day(), owner)).collect();
    assert_eq!(owners, [(20, Owner::Company), (22, Owner::Company), (18, Owner::Client(world.inn))]);

    let (_, answer) = world.map("1", json!({ "client_slug": "spa" })).await;
    assert_eq!(answer["data"]["history"][2]["from"], "2026-07-22", "from today on, unless said otherwise");
    assert_eq!(world.noted().await, [date(2026, 7, 22)]);
    let (_, answer) = world.map("1", json!({ "client_slug": "spa", "from": "always" })).await;
    assert_eq!(answer["data"]["history"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_changes_no_sheet_notes_no_day() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-21"]).await;
    world.map("1", json!({ "client_slug": "inn" })).await;
    world.refold(later()).await;

    let (status, answer) = world
        .map("1", json!({ "client_slug": "inn", "description": " Answers leads ", "operations_limit": 1000, "expected_every_minutes": 15 }))
        .await;

    assert_eq!(status, 200);
    let data = &answer["data"];
    assert_eq!(
        (&data["description"], &data["operations_limit"], &data["expected_every_minutes"]),
        (&json!("Answers leads"), &json!(1000), &json!(15))
    );
    assert!(world.noted().await.is_empty());
    let (_, answer) = world.map("1", json!({ "client_slug": "inn" })).await;
    assert_eq!(
        (&answer["data"]["description"], &answer["data"]["operations_limit"]),
        (&Value::Null, &Value::Null),
        "what is left out is none"
    );
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_seen() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-21"]).await;
    let body = json!({ "client_slug": "inn" });
    assert_eq!(world.map_by(world.owner(), "1", &body).await.0, 428);
    let seen = world.stored_scenario("1").await.etag();
    let call = || world.owner().with_header("if-match", &seen);
    let other = json!({ "client_slug": "spa" });
    let (one, two) = tokio::join!(world.map_by(call(), "1", &body), world.map_by(call(), "1", &other));
    let mut both = [one.0, two.0];
    both.sort_unstable();
    assert_eq!(both, [200, 412]);
    assert_eq!(world.map_by(call(), "1", &body).await.0, 412);
    // Whoever tells of runs moves no version.
    let seen = world.stored_scenario("1").await.etag();
    heard(&world, "1", &["2026-07-20"]).await;
    assert_eq!(world.stored_scenario("1").await.etag(), seen);
}

#[tokio::test]
async fn a_mapping_that_was_killed_half_way_is_made_by_doing_it_again() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-20", "2026-07-21"]).await;
    world.map("1", json!({ "client_slug": "inn" })).await;
    world.refold(later()).await;
    let before = world.cells().await;
    // Killed after the notes and before the mapping: nothing but notes is there.
    for day in [20, 21] {
        make_operations::ledger::note(&world.table, world.tenant, date(2026, 7, day), now()).await.unwrap();
    }
    world.refold(later()).await;
    assert_eq!(world.cells().await, before);

    assert_eq!(world.map("1", json!({ "client_slug": "spa", "from": "always" })).await.0, 200);
    world.refold(later()).await;
    assert!(world.cells().await.keys().all(|(owner, ..)| *owner == Owner::Client(world.spa)));
}

#[tokio::test]
async fn all_faults_are_told_at_once() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-21"]).await;
    let (status, answer) = world
        .map(
            "1",
            json!({ "client_id": "cli_nobody", "client_slug": "nobody", "company": true, "operation_type": "gossip", "minutes_saved": 0.001,
                "description": "", "operations_limit": -1, "expected_every_minutes": 0, "from": "2028-01-01", "colour": "red" }),
        )
        .await;
    assert_eq!(status, 400);
    assert_eq!(
        pointers(&answer),
        [
            "/company",
            "/operation_type",
            "/minutes_saved",
            "/description",
            "/operations_limit",
            "/expected_every_minutes",
            "/from",
            "/colour",
            "/client_id",
            "/client_slug",
        ]
    );
    for (wrong, pointer) in [
        (json!({}), "/company"),
        (json!({ "company": false }), "/company"),
        (json!({ "client_slug": "inn", "client_id": world.spa }), "/client_slug"),
        (json!({ "company": true, "from": "21.7.2026" }), "/from"),
        (json!({ "company": true, "minutes_saved": 10_081 }), "/minutes_saved"),
        (json!({ "company": true, "minutes_saved": [] }), "/minutes_saved"),
    ] {
        let (status, answer) = world.map("1", wrong.clone()).await;
        assert_eq!((status, pointers(&answer)), (400, vec![pointer]), "{wrong}");
    }
    assert!(world.stored_scenario("1").await.mapping.is_empty());
    let (status, answer) = world.scenarios(world.owner(), "mapped=perhaps&client_id=x&limit=200&colour=red").await;
    assert_eq!((status, pointers(&answer)), (400, vec!["?limit", "?mapped", "?client_id", "?colour"]));
}

#[tokio::test]
async fn only_owners_map_and_a_stranger_finds_nothing() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-21"]).await;
    let (mapping, any) = (json!({ "client_slug": "inn" }), "*");
    let inn = world.inn.to_string();
    for (call, expected) in [
        (person(world.tenant, Role::Agent), 403),
        (person(world.tenant, Role::Supervisor), 403),
        (person_with(world.tenant, Role::Owner, &[("client", &inn)]), 403),
        (stranger(), 404),
        (nobody(), 401),
        (person(world.tenant, Role::Admin), 200),
    ] {
        assert_eq!(world.map_by(call.with_header("if-match", any), "1", &mapping).await.0, expected);
    }
    assert_eq!(world.scenario(stranger(), "1").await.0, 404);
    assert!(ids(&world.scenarios(stranger(), "").await.1).is_empty());
    assert_eq!(world.scenarios(stranger(), &format!("client_id={inn}")).await.0, 404);
}

#[tokio::test]
async fn everybody_sees_what_is_theirs_to_see() {
    let world = World::new().await;
    for id in ["1", "2", "3", "4"] {
        heard(&world, id, &["2026-07-21"]).await;
    }
    world.map("1", json!({ "client_slug": "inn" })).await;
    world.map("2", json!({ "client_slug": "spa" })).await;
    world.map("3", json!({ "company": true })).await;
    // It was the inn's until yesterday.
    world.map("2", json!({ "client_slug": "inn", "from": "always" })).await;
    world.map("2", json!({ "client_slug": "spa" })).await;

    let of = |client: String| person_with(world.tenant, Role::Owner, &[("client", &client)]);
    let seen = async |call| ids(&world.scenarios(call, "").await.1).join(" ");
    assert_eq!(seen(person(world.tenant, Role::Supervisor)).await, "1 2 3 4");
    assert_eq!(seen(person(world.tenant, Role::Agent)).await, "1 2");
    assert_eq!(seen(of(world.inn.to_string())).await, "1");
    assert_eq!(seen(of(world.spa.to_string())).await, "2");
    let call = of(world.inn.to_string());
    assert_eq!(world.scenarios(call, &format!("client_id={}", world.spa)).await.0, 404);

    let (status, answer) = world.scenario(of(world.spa.to_string()), "2").await;
    assert_eq!((status, answer["data"]["history"].as_array().unwrap().len()), (200, 1), "its part of the history");
    assert_eq!(world.scenario(of(world.inn.to_string()), "2").await.0, 404, "whose it is now is none of its business");
    for hidden in ["3", "4"] {
        assert_eq!(world.scenario(of(world.inn.to_string()), hidden).await.0, 404);
        assert_eq!(world.scenario(person(world.tenant, Role::Agent), hidden).await.0, 404);
    }
}

#[tokio::test]
async fn minutes_are_kept_to_the_second() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-21"]).await;
    for (given, seconds) in
        [(json!(2.5), 150), (json!("0.25"), 15), (json!(10_080), 604_800), (json!(0.01), 1), (json!(0), 0)]
    {
        world.map("1", json!({ "company": true, "minutes_saved": given })).await;
        assert_eq!(world.stored_scenario("1").await.on(date(2026, 7, 22)).seconds_saved, seconds, "{given}");
    }
}

#[tokio::test]
async fn a_mapping_has_a_hundred_statements_at_most() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-21"]).await;
    let mut scenario = world.stored_scenario("1").await;
    let first = date(2026, 1, 1);
    let mapped = |from| Mapped { from: Some(from), owner: Owner::Company, ..Mapped::default() };
    scenario.mapping = first.series(1.day()).take(100).map(mapped).collect();
    world.table.put(&scenario).await.unwrap();

    let (status, answer) = world.map("1", json!({ "company": true, "from": "2026-07-21" })).await;

    assert_eq!(status, 409, "{answer}");
    let from = scenario.mapping[99].from.unwrap().to_string();
    assert_eq!(world.map("1", json!({ "client_slug": "inn", "from": from })).await.0, 200, "it replaces one");
    assert_eq!(world.map("1", json!({ "company": true, "from": "always" })).await.0, 200);
}

#[tokio::test]
async fn four_hundred_days_back_is_the_earliest_day_of_a_mapping() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-21"]).await;
    for (from, expected) in [("2025-06-17", 200), ("2025-06-16", 400), ("0000-01-01", 400)] {
        let (status, answer) = world.map("1", json!({ "company": true, "from": from })).await;
        assert_eq!(status, expected, "{from}: {answer}");
    }
}

#[tokio::test]
async fn a_description_is_told_to_those_for_whom_it_was_said() {
    let world = World::new().await;
    heard(&world, "1", &["2026-07-21"]).await;
    world.map("1", json!({ "client_slug": "inn", "description": "for the inn" })).await;
    let told = async |call| world.scenario(call, "1").await.1["data"]["description"].clone();
    let of = |client: shared::id::ClientId| person_with(world.tenant, Role::Owner, &[("client", &client.to_string())]);
    assert_eq!(told(of(world.inn)).await, "for the inn");

    world.map("1", json!({ "client_slug": "spa", "from": "2026-08-01", "description": "for the spa" })).await;

    assert_eq!((told(of(world.inn)).await, told(world.owner()).await), (Value::Null, json!("for the spa")));
    world.map("1", json!({ "client_slug": "spa", "description": "for the spa" })).await;
    assert_eq!(told(of(world.spa)).await, "for the spa");
}

#[tokio::test]
async fn it_costs_what_the_readme_says() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    heard(&world, "1", &["2026-07-20", "2026-07-21"]).await;
    world.map("1", json!({ "company": true })).await;
    world.scenario(world.owner(), "1").await;
    let etag = world.stored_scenario("1").await.etag();
    units.take();
    let call = world.owner().with_header("if-match", &etag);
    world.map_by(call, "1", &json!({ "client_slug": "inn", "from": "always" })).await;
    let all_days = units.take();
    assert_eq!(all_days, (3.0, 406.0));
    world.scenario(world.owner(), "1").await;
    let one = units.take();
    assert_eq!(one, (0.0, 2.5));
}
