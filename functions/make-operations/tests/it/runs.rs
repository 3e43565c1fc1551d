//! The runs of a scenario, newest first, to whom they belong.

use serde_json::{Value, json};
use shared::{
    gate::Role,
    http::Call,
    id::ClientId,
    testing::{Units, nobody, person, person_with, stranger, table},
};

use crate::{
    World,
    desk::{body, execution, record},
    pointers,
};

/// A run each hour of the 20th and the 21st: every third fails, every fifth ends with a warning.
async fn two_days(world: &World) {
    let status = |n: usize| match n {
        n if n.is_multiple_of(3) => "error",
        n if n.is_multiple_of(5) => "warning",
        _ => "success",
    };
    let run = |n: usize| {
        let at = format!("2026-07-{}T{:02}:00:00Z", 20 + n / 22, n % 22);
        execution(&at, json!({ "id": format!("r{n:02}"), "status": status(n) }))
    };
    world.hear(body((0..44).map(run).collect())).await;
}

fn ids(answer: &Value) -> Vec<String> {
    let runs = answer["data"]["runs"].as_array().unwrap_or_else(|| panic!("{answer}"));
    runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
}

async fn whole(world: &World, call: impl Fn() -> Call, query: &str) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, answer) = world.runs(call(), &format!("scenario_id=12345&{query}{cursor}")).await;
        assert_eq!(status, 200, "{answer}");
        seen.extend(ids(&answer));
        match answer["data"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
}

#[tokio::test]
async fn they_come_newest_first_page_by_page_without_a_gap() {
    let world = World::new().await;
    two_days(&world).await;
    let all: Vec<String> = (0..44).rev().map(|n| format!("r{n:02}")).collect();
    for query in ["limit=100", "limit=7", "limit=44", "limit=22", "limit=43"] {
        assert_eq!(whole(&world, || world.owner(), query).await, all, "{query}");
    }
    let failed: Vec<String> = (0..44).rev().filter(|n| n % 3 == 0).map(|n| format!("r{n:02}")).collect();
    for query in ["status=error&limit=100", "status=error&limit=4", "status=error&limit=1"] {
        assert_eq!(whole(&world, || world.owner(), query).await, failed, "{query}");
    }
    let either = whole(&world, || world.owner(), "status=error,warning&limit=5").await;
    assert_eq!(either.len(), (0..44).filter(|n| n % 3 == 0 || n % 5 == 0).count());
    let some = whole(&world, || world.owner(), "since=2026-07-20T20:00:00Z&until=2026-07-21T01:00:00Z&limit=3").await;
    assert_eq!(some, ["r23", "r22", "r21", "r20"], "both ends included");
}

#[tokio::test]
async fn runs_of_one_moment_are_none_lost_between_pages() {
    let world = World::new().await;
    let run = |n: usize| execution("2026-07-21T10:00:00.000Z", json!({ "id": format!("r{n:02}#x") }));
    world.hear(body((0..9).map(run).collect())).await;
    let mut seen = whole(&world, || world.owner(), "limit=2").await;
    seen.sort();
    assert_eq!(seen, (0..9).map(|n| format!("r{n:02}#x")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_run_shows_what_was_told_of_it() {
    let world = World::new().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    world
        .hear(json!([
            record(
                "da51",
                "2026-07-21T04:35:44.497Z",
                json!({ "operations": 1, "centicredits": 150, "trace_id": trace })
            ),
            record(
                "da52",
                "2026-07-21T04:35:45Z",
                json!({ "id": null, "imtId": null, "scenario_id": 418_339, "centicredits": null,
                "duration": null, "cost_usd": 0.0001, "status": "failed" })
            ),
        ]))
        .await;

    let (_, answer) = world.runs(world.owner(), "scenario_id=418339").await;

    let mut runs = answer["data"]["runs"].clone();
    assert_eq!(runs[1]["told_at"], "2026-07-21T23:20:00Z");
    runs[0]["told_at"] = json!(null);
    runs[1]["told_at"] = json!(null);
    assert_eq!(
        runs,
        json!([
            { "id": null, "scenario_id": "418339", "started_at": "2026-07-21T04:35:45Z", "date": "2026-07-21", "status": "error",
              "empty": false, "operations_count": 10, "credits": null, "cost_usd": 0.0001, "duration_ms": null,
              "transfer": 3942, "trace_id": null, "told_by": "webhook", "told_at": null, "corrected": false },
            { "id": "da51", "scenario_id": "418339", "started_at": "2026-07-21T04:35:44.497Z", "date": "2026-07-21", "status": "success",
              "empty": true, "operations_count": 1, "credits": 1.50, "cost_usd": null, "duration_ms": 19979,
              "transfer": 3942, "trace_id": trace, "told_by": "webhook", "told_at": null, "corrected": false },
        ])
    );
}

fn of_client(world: &World, client: ClientId) -> Call {
    person_with(world.tenant, Role::Owner, &[("client", &client.to_string())])
}

#[tokio::test]
async fn a_clients_people_see_the_days_that_were_theirs() {
    let world = World::new().await;
    two_days(&world).await;
    assert_eq!(world.map("12345", json!({ "client_slug": "inn" })).await.0, 200);
    assert_eq!(world.map("12345", json!({ "client_slug": "spa", "from": "2026-07-21" })).await.0, 200);

    let inn = whole(&world, || of_client(&world, world.inn), "limit=4").await;
    let spa = whole(&world, || of_client(&world, world.spa), "limit=4").await;

    assert_eq!(inn, (0..22).rev().map(|n| format!("r{n:02}")).collect::<Vec<_>>());
    assert_eq!(spa, (22..44).rev().map(|n| format!("r{n:02}")).collect::<Vec<_>>());
    let (_, scenario) = world.scenario(of_client(&world, world.spa), "12345").await;
    assert_eq!(scenario["data"]["latest_run"]["id"], "r43", "{scenario}");
}

#[tokio::test]
async fn agents_see_clients_and_a_stranger_sees_nothing() {
    let world = World::new().await;
    two_days(&world).await;
    let status = async |call: Call| world.runs(call, "scenario_id=12345").await.0;
    let agent = || person(world.tenant, Role::Agent);
    assert_eq!(status(agent()).await, 404, "nobody has mapped it");
    assert_eq!(status(person(world.tenant, Role::Supervisor)).await, 200);
    assert_eq!(status(of_client(&world, world.inn)).await, 404);

    world.map("12345", json!({ "company": true })).await;
    assert_eq!(status(agent()).await, 404);
    world.map("12345", json!({ "client_id": world.inn, "from": "always" })).await;
    assert_eq!(status(agent()).await, 200);
    assert_eq!(status(of_client(&world, world.inn)).await, 200);
    assert_eq!(status(of_client(&world, world.spa)).await, 404);
    assert_eq!(status(stranger()).await, 404);
    assert_eq!(status(nobody()).await, 401);
    assert_eq!(world.runs(world.owner(), "scenario_id=nobody").await.0, 404);
}

#[tokio::test]
async fn all_faults_are_told_at_once() {
    let world = World::new().await;
    two_days(&world).await;
    let query = "status=error,asleep&since=yesterday&limit=0&colour=red";
    let (status, answer) = world.runs(world.owner(), query).await;
    assert_eq!((status, pointers(&answer)), (400, vec!["?limit", "?scenario_id", "?status", "?since", "?colour"]));
    let query = "scenario_id=12345&since=2026-07-21T00:00:00Z&until=2026-07-20T00:00:00Z";
    assert_eq!(pointers(&world.runs(world.owner(), query).await.1), ["?until"]);
    for (query, at) in [("until=1960-01-01T00:00:00Z", "?until"), ("since=0001-01-01T00:00:00Z", "?since")] {
        let (status, answer) = world.runs(world.owner(), &format!("scenario_id=12345&{query}")).await;
        assert_eq!((status, pointers(&answer)), (400, vec![at]));
    }
    for id in [String::new(), "x".repeat(2_000)] {
        assert_eq!(pointers(&world.runs(world.owner(), &format!("scenario_id={id}")).await.1), ["?scenario_id"]);
    }
    let (_, first) = world.runs(world.owner(), "scenario_id=12345&limit=1").await;
    let cursor = first["data"]["next_cursor"].as_str().unwrap();
    for other in ["&status=error", "&since=2026-07-20T00:00:00Z"] {
        let (status, answer) = world.runs(world.owner(), &format!("scenario_id=12345&cursor={cursor}{other}")).await;
        assert_eq!((status, pointers(&answer)), (400, vec!["?cursor"]), "a cursor is of one list");
    }
}

#[tokio::test]
async fn it_costs_what_the_readme_says() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    let run = |n: usize| {
        execution(&format!("2026-07-21T10:{:02}:{:02}Z", n / 60, n % 60), json!({ "id": format!("r{n:04}") }))
    };
    world.hear(body((0..1_000).map(run).collect())).await;
    world.runs(world.owner(), "scenario_id=12345").await;
    units.take();
    world.runs(world.owner(), "scenario_id=12345").await;
    assert_eq!(units.take(), (0.0, 13.5));
}
