//! Endpoint 4: Make.com's usage, in by the day, by the run and from Make's own API, out as metrics.

use local::standin::{MakeOrder, MakeRun};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_day_sent_twice_counts_once() {
    let world = World::new("usage").await;
    let owner = world.token("owner").await;
    let date = jiff::Zoned::now().date().to_string();
    let row = |count: u32| {
        json!({ "operations": [
            { "client_slug": "harbour-inn", "scenario_name": "Lead Processing", "scenario_id": "12345", "date": date,
              "operations_count": count, "operations_limit": 1000, "cost_usd": 7.50, "success_count": count - 5, "error_count": 5,
              "status": "active", "operation_type": "call" },
            { "scenario_name": "Newsletter", "date": date, "operations_count": 10, "cost_usd": "0.40", "success_count": 10,
              "error_count": 0, "operation_type": "marketing" },
        ] })
    };

    for count in [100, 150] {
        let synced = world.post("/api/make-operations/sync", &world.api_key, &row(count)).await;
        assert_eq!(
            (synced.status, &synced.body["success"], &synced.body["synced_count"]),
            (200, &json!(true), &json!(2)),
            "{}",
            synced.body
        );
    }

    let metrics = world.get(&format!("/api/make-operations/metrics?start_date={date}&end_date={date}"), &owner).await;
    assert_eq!(metrics.status, 200, "{}", metrics.body);
    assert_eq!(metrics.body["data"]["totals"]["operations_count"], 160, "150 and 10: {}", metrics.body);
    let client = world.clients[0]["client_id"].as_str().unwrap();
    let one = world.get(&format!("/api/make-operations/metrics?preset=7d&client_id={client}"), &owner).await;
    assert_eq!(one.status, 200, "{}", one.body);
    let foreign = shared::id::ClientId::new();
    assert_eq!(
        world.get(&format!("/api/make-operations/metrics?preset=7d&client_id={foreign}"), &owner).await.status,
        404
    );
}

#[tokio::test]
async fn all_faults_of_all_rows_at_once_and_nothing_is_stored() {
    let world = World::new("usage-faults").await;
    let owner = world.token("owner").await;
    let date = jiff::Zoned::now().date().to_string();
    let good =
        json!({ "scenario_name": "A", "date": date, "operations_count": 5, "success_count": 5, "error_count": 0 });
    let bad = json!({ "client_id": "uuid-here", "scenario_name": "", "date": "22.01.2025", "operations_count": -1, "cost_usd": "x", "status": "on" });

    let refused = world.post("/api/make-operations/sync", &world.api_key, &json!({ "operations": [good, bad] })).await;

    assert_eq!(refused.status, 400);
    let pointers: Vec<&str> =
        refused.body["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    for field in ["client_id", "scenario_name", "date", "operations_count", "cost_usd", "status"] {
        assert!(pointers.contains(&format!("/operations/1/{field}").as_str()), "{field}: {pointers:?}");
    }
    let metrics = world.get("/api/make-operations/metrics?preset=30d", &owner).await;
    assert!(!metrics.body.to_string().contains("\"A\""), "{}", metrics.body);
}

fn executions(world: &World, outcomes: &[(&str, &str)]) -> Value {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(2);
    let one = |(id, status): &(&str, &str)| json!({ "id": id, "status": status, "operations_consumed": 5, "credits": 5.5, "cost_usd": 0.25, "timestamp": at });
    let executions: Vec<Value> = outcomes.iter().map(one).collect();
    json!({ "scenario_id": world.name, "scenario_name": "Lead Processing", "executions": executions })
}

async fn map(world: &World, owner: &str, client: &str) {
    let path = format!("/api/v1/make-operations/scenarios/{}", world.name);
    let etag = world.get(&path, owner).await.headers["etag"].to_str().unwrap().to_owned();
    let mapping = json!({ "client_id": client, "operation_type": "call", "minutes_saved": 2.5 });
    let put = world.request(Method::PUT, &format!("{path}/mapping")).bearer_auth(owner).header("if-match", etag);
    let mapped = world.send(put.json(&mapping)).await;
    assert_eq!((mapped.status, &mapped.body["data"]["owner"]), (200, &json!("client")), "{}", mapped.body);
}

#[tokio::test]
async fn a_run_counts_once_for_whom_its_scenario_is_and_costs_what_a_credit_did() {
    let world = World::new("runs").await;
    let (owner, agent) = (world.token("owner").await, world.token("agent").await);
    let clients: Vec<&str> = world.clients.iter().map(|client| client["client_id"].as_str().unwrap()).collect();
    let runs = executions(&world, &[("r1", "success"), ("r2", "warning"), ("r3", "error")]);
    let price = json!({ "from": jiff::Zoned::now().date().yesterday().unwrap(), "currency": "USD", "price_per_credit": "0.01" });
    let priced = world.post("/api/v1/make-operations/rates", &owner, &price).await;
    assert_eq!(priced.status, 201, "{}", priced.body);

    for (recorded, repeated) in [(3, 0), (0, 3)] {
        let told = world.post("/api/make-operations/webhook", &world.api_key, &runs).await;
        let data = &told.body["data"];
        assert_eq!(
            (told.status, &data["recorded"], &data["repeated"]),
            (200, &json!(recorded), &json!(repeated)),
            "{data}"
        );
        assert_eq!(data["operations"][0]["operations_count"], 15, "{data}");
    }
    let metrics =
        async |query: &str, who: &str| world.get(&format!("/api/make-operations/metrics?preset=24h{query}"), who).await;
    let unmapped = metrics("", &owner).await.body["data"].clone();
    assert_eq!(
        (&unmapped["totals"]["operations_count"], &unmapped["by_scenario"][0]["mapped"]),
        (&json!(15), &json!(false))
    );
    assert_eq!(metrics("", &agent).await.body["data"]["totals"]["operations_count"], 0, "no client's yet");

    map(&world, &owner, clients[0]).await;
    let mapped = metrics("", &agent).await.body["data"].clone();
    let totals = &mapped["totals"];
    assert_eq!(
        (&totals["operations_count"], &totals["credits"], &totals["cost_usd"], &totals["minutes_saved"]),
        (&json!(15), &json!(16.5), &json!(0.165), &json!(5.0)),
        "two of three runs did something: {totals}"
    );
    assert_eq!((&totals["warning_count"], &totals["success_rate"]), (&json!(1), &json!(33.33)), "{totals}");
    world.stack.invoke("MakeOperationsFold", &json!({})).await.unwrap();
    assert_eq!(metrics("", &agent).await.body["data"]["by_day"], mapped["by_day"], "folded or not, it is the same");

    let (theirs, others) = (world.of_client("agent", clients[0]).await, world.of_client("agent", clients[1]).await);
    let log = format!("/api/v1/make-operations/runs?scenario_id={}", world.name);
    assert_eq!(world.get(&log, &theirs).await.body["data"]["runs"].as_array().map(Vec::len), Some(3));
    assert_eq!(metrics("", &theirs).await.body["data"]["totals"]["operations_count"], 15);
    assert_eq!(metrics("", &others).await.body["data"]["totals"]["operations_count"], 0);
    assert_eq!(metrics(&format!("&client_id={}", clients[0]), &others).await.status, 404);
    assert_eq!(world.get(&log, &others).await.status, 404);
    let csv = metrics("&format=csv", &theirs).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(csv.body.as_str().unwrap().lines().count(), 2, "{}", csv.body);

    let ahead = world.get("/api/v1/make-operations/forecast", &agent).await;
    assert_eq!((ahead.status, &ahead.body["data"]["basis"]), (200, &json!("too_little")), "{}", ahead.body);
    assert_eq!(world.get("/api/v1/make-operations/advice", &agent).await.status, 200);
}

#[tokio::test]
async fn what_make_knows_is_pulled_when_an_account_is_given_and_again_on_demand() {
    const ZONE: &str = "eu1.make.com";
    let world = World::new("pull").await;
    let owner = world.token("owner").await;
    let account = world.receiver.make_account(ZONE, &MakeOrder::for_hook(&world.name)).await.unwrap();
    let add = async |ids: &[&str]| {
        let timestamp = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(1);
        let run = |id: &&str| MakeRun {
            timestamp,
            id: Some((*id).into()),
            operations: 4,
            centicredits: 425,
            ..MakeRun::default()
        };
        let runs: Vec<MakeRun> = ids.iter().map(run).collect();
        world.receiver.add_runs(ZONE, account.scenario_id, &runs).await.unwrap();
    };
    assert_eq!(world.post("/api/make-operations/pull", &owner, &json!({})).await.status, 409, "there is no account");
    add(&["a", "b"]).await;
    let given = json!({ "zone": ZONE, "token": account.token, "team_id": account.team_id });
    let put = world.send(world.request(Method::PUT, "/api/v1/make/account").bearer_auth(&owner).json(&given)).await;
    assert!(put.status < 300, "{}", put.body);

    let first = pulled(&world, &owner, Value::Null).await;
    assert_eq!((&first["last"]["runs_new"], &first["unmapped_scenarios"]), (&json!(2), &json!(1)), "{first}");
    add(&["c"]).await;
    let asked = world.post("/api/make-operations/pull", &owner, &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    let second = pulled(&world, &owner, first["last_success_at"].clone()).await;
    assert_eq!(second["last"]["runs_new"], 1, "{second}");

    let metrics = world.get("/api/make-operations/metrics?preset=24h", &owner).await.body["data"].clone();
    assert_eq!(
        (&metrics["totals"]["operations_count"], &metrics["totals"]["credits"]),
        (&json!(12), &json!(12.75)),
        "{metrics}"
    );
    let listed = world.get("/api/v1/make-operations/scenarios?mapped=false", &owner).await;
    assert_eq!(listed.body["data"]["scenarios"][0]["id"], account.scenario_id.to_string(), "{}", listed.body);
}

/// How the pull stands once one has succeeded since then, by this schedule or by the stack's own.
async fn pulled(world: &World, owner: &str, since: Value) -> Value {
    for _ in 0..40 {
        world.stack.invoke("MakeOperationsPull", &json!({})).await.unwrap();
        let pull = world.get("/api/make-operations/pull", owner).await.body["data"].clone();
        if pull["last_success_at"] != since {
            return pull;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    panic!("no pull came to its end: {}", world.get("/api/make-operations/pull", owner).await.body);
}
