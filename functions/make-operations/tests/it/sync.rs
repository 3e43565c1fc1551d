use serde_json::{Value, json};
use shared::{
    apikey::{ApiKey, Scope},
    gate::Role,
    testing::{Units, machine, nobody, person, table},
    usage::{OperationType, ScenarioStatus, Usd},
};

use crate::{World, pointers, row, world::now};

#[tokio::test]
async fn the_answer_is_that_of_the_source_document() {
    let world = World::new().await;

    let (status, answer) =
        world.send(world.posting(json!([row("2026-07-21", json!({ "client_id": world.inn }))]))).await;

    assert_eq!(status, 200);
    assert_eq!(
        answer,
        json!({ "success": true, "message": "Successfully synced 1 operations record", "synced_count": 1, "data": { "synced_count": 1 } })
    );
    let stored = world.stored(Some(world.inn)).await;
    assert_eq!(
        (stored[0].operations, stored[0].cost, stored[0].succeeded),
        (150, Usd::from_ten_thousandths(75_000), 145)
    );
}

#[tokio::test]
async fn a_row_is_a_clients_by_id_or_by_slug_or_the_companys() {
    let world = World::new().await;

    world
        .store(json!([
            row("2026-07-21", json!({ "client_id": world.inn })),
            row("2026-07-21", json!({ "client_slug": "spa" })),
            row("2026-07-20", json!({ "client_id": world.spa, "client_slug": "spa" })),
            row("2026-07-21", json!({ "client_id": null, "client_slug": null })),
        ]))
        .await;

    assert_eq!(world.stored(Some(world.inn)).await.len(), 1);
    assert_eq!(world.stored(Some(world.spa)).await.len(), 2);
    assert_eq!(world.stored(None).await.len(), 1);
}

#[tokio::test]
async fn what_is_left_out_is_what_the_source_document_says() {
    let world = World::new().await;

    world.store(json!([{ "scenario_name": " Nightly ", "date": "2026-07-21" }])).await;

    let stored = &world.stored(None).await[0];
    assert_eq!(
        (stored.scenario_name.as_str(), stored.operation_type, stored.status),
        ("Nightly", OperationType::General, ScenarioStatus::Active)
    );
    assert_eq!((stored.operations, stored.cost, stored.limit), (0, Usd::default(), None));
}

#[tokio::test]
async fn the_same_day_again_replaces_and_never_counts_twice() {
    let world = World::new().await;
    world.store(json!([row("2026-07-21", json!({}))])).await;
    world.store(json!([row("2026-07-21", json!({}))])).await;

    world
        .store(json!([row(
            "2026-07-21",
            json!({ "operations_count": 200, "scenario_name": "Renamed", "status": "paused" })
        )]))
        .await;

    let stored = world.stored(None).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(
        (stored[0].operations, stored[0].scenario_name.as_str(), stored[0].status),
        (200, "Renamed", ScenarioStatus::Paused)
    );
}

#[tokio::test]
async fn client_day_scenario_type_and_call_make_the_row() {
    let world = World::new().await;
    world
        .store(json!([
            row("2026-07-21", json!({})),
            row("2026-07-20", json!({})),
            row("2026-07-21", json!({ "scenario_id": 67890 })),
            row("2026-07-21", json!({ "scenario_id": null })),
            row("2026-07-21", json!({ "scenario_id": null, "scenario_name": "12345" })),
            row("2026-07-21", json!({ "operation_type": "call" })),
            row("2026-07-21", json!({ "operation_type": "call", "call_id": "call-1" })),
            row("2026-07-21", json!({ "operation_type": "call", "call_id": "call-2" })),
            row("2026-07-21", json!({ "client_id": world.inn })),
        ]))
        .await;
    assert_eq!(world.stored(None).await.len(), 8);
    assert_eq!(world.stored(Some(world.inn)).await.len(), 1);
}

#[tokio::test]
async fn numbers_and_texts_of_one_scenario_id_are_one() {
    let world = World::new().await;
    world.store(json!([row("2026-07-21", json!({ "scenario_id": 12345 }))])).await;
    world.store(json!([row("2026-07-21", json!({ "scenario_id": "12345" }))])).await;
    assert_eq!(world.stored(None).await.len(), 1);
}

#[tokio::test]
async fn no_digit_of_a_cost_is_lost() {
    let world = World::new().await;
    for (text, n) in
        [("0.1", 1_000), ("999999.9999", 9_999_999_999), ("\"0.0001\"", 1), ("1e1", 100_000), ("7.50000", 75_000)]
    {
        let body = format!(r#"{{"operations":[{{"scenario_name":"x","date":"2026-07-21","cost_usd":{text}}}]}}"#);
        let (status, answer) = world.send(machine(&world.key).posting_bytes(body).at(now())).await;
        assert_eq!(status, 200, "{text}: {answer}");
        assert_eq!(world.stored(None).await[0].cost, Usd::from_ten_thousandths(n), "{text}");
    }
}

#[tokio::test]
async fn all_faults_of_all_rows_are_told_at_once_and_nothing_is_stored() {
    let world = World::new().await;
    let stranger = World::over(world.table.clone()).await;
    let rows = json!([
        row("2026-07-21", json!({})),
        row("2026-02-30", json!({ "operations_count": -1, "cost_usd": -0.01 })),
        row("2026-07-21", json!({ "success_count": 150, "error_count": 1 })),
        row("2026-07-24", json!({ "client_id": stranger.inn, "client_slug": "nobody" })),
        row("2026-07-21", json!({ "status": "asleep", "operation_type": "gossip", "colour": "red" })),
        "not a row",
        row("2026-07-21", json!({ "operations_count": 151 })),
        row("2026-07-21", json!({ "client_id": world.inn, "client_slug": "spa" })),
        { "date": null, "operations_limit": 1.5, "cost_usd": 0.00001, "description": "", "call_id": {}, "client_id": "" },
    ]);

    let (status, answer) = world.send(world.posting(rows)).await;

    assert_eq!(status, 400);
    assert_eq!(
        pointers(&answer),
        [
            "/operations/1/date",
            "/operations/1/operations_count",
            "/operations/1/cost_usd",
            "/operations/2/success_count",
            "/operations/3/date",
            "/operations/3/client_id",
            "/operations/3/client_slug",
            "/operations/4/operation_type",
            "/operations/4/status",
            "/operations/4/colour",
            "/operations/5",
            "/operations/6",
            "/operations/7/client_slug",
            "/operations/8/call_id",
            "/operations/8/scenario_name",
            "/operations/8/date",
            "/operations/8/operations_limit",
            "/operations/8/cost_usd",
            "/operations/8/description",
            "/operations/8/client_id",
        ]
    );
    assert!(world.stored(None).await.is_empty() && world.stored(Some(world.inn)).await.is_empty());
}

#[tokio::test]
async fn tomorrow_is_the_latest_day_in_the_tenants_zone() {
    let world = World::new().await;
    for (date, expected) in [("2026-07-22", 200), ("2026-07-23", 200), ("2026-07-24", 400), ("9999-12-31", 400)] {
        assert_eq!(world.send(world.posting(json!([row(date, json!({}))]))).await.0, expected, "{date}");
    }
}

#[tokio::test]
async fn four_hundred_days_back_is_the_earliest() {
    let world = World::new().await;
    for (date, expected) in [("2025-06-17", 200), ("2025-06-16", 400), ("0000-01-01", 400)] {
        let (status, answer) = world.send(world.posting(json!([row(date, json!({}))]))).await;
        assert_eq!(status, expected, "{date}: {answer}");
    }
    assert_eq!(world.noted().await.len(), 1);
}

#[tokio::test]
async fn one_to_a_thousand_rows() {
    let world = World::new().await;
    let rows = |n: usize| -> Value { (0..n).map(|n| row("2026-07-21", json!({ "scenario_id": n }))).collect() };

    for (n, expected) in [(0, 400), (1, 200), (1_000, 200), (1_001, 400)] {
        let (status, answer) = world.send(world.posting(rows(n))).await;
        assert_eq!(status, expected, "{n}: {answer}");
        if expected == 400 {
            assert_eq!(pointers(&answer), ["/operations"]);
        }
    }
    assert_eq!(world.stored(None).await.len(), 1_000);
}

#[tokio::test]
async fn what_was_stored_half_way_is_completed_by_sending_it_again() {
    let world = World::new().await;
    let rows: Value = (0..250).map(|n| row("2026-07-21", json!({ "scenario_id": n }))).collect();
    let half = Value::Array(rows.as_array().unwrap()[..100].to_vec());
    world.store(half).await;

    world.store(rows).await;

    let operations: u64 = world.stored(None).await.iter().map(|row| row.operations).sum();
    assert_eq!(operations, 250 * 150);
}

#[tokio::test]
async fn five_at_once_count_as_one() {
    let world = World::new().await;
    let send = || world.send(world.posting(json!([row("2026-07-21", json!({}))])));
    let (a, b, c, d, e) = tokio::join!(send(), send(), send(), send(), send());
    assert!([a, b, c, d, e].iter().all(|(status, _)| *status == 200));
    assert_eq!(world.stored(None).await.len(), 1);
}

#[tokio::test]
async fn the_same_idempotency_key_gets_the_same_answer() {
    let world = World::new().await;
    let call = |n: u64| {
        world.posting(json!([row("2026-07-21", json!({ "operations_count": n }))])).with_header("idempotency-key", "k")
    };
    assert_eq!(world.send(call(200)).await, world.send(call(200)).await);
    assert_eq!(world.send(call(201)).await.0, 422);
}

#[tokio::test]
async fn nonsense_is_refused_and_never_our_mistake() {
    let world = World::new().await;
    let send = async |body: String| world.send(machine(&world.key).posting_bytes(body).at(now())).await.0;
    let deep = "[".repeat(200_000);
    for body in [
        "",
        "{",
        "null",
        "[]",
        "7",
        "{}",
        r#"{"operations":null}"#,
        r#"{"operations":{}}"#,
        r#"{"operations":[null]}"#,
        r#"{"operations":[[]]}"#,
        r#"{"operations":[{}],"more":1}"#,
        r#"{"operations":[{"cost_usd":1e999}]}"#,
        deep.as_str(),
    ] {
        assert_eq!(send(body.into()).await, 400, "{body:.40}");
    }
    let many = json!({ "operations": [row("2026-07-21", json!({ "client_slug": "x".repeat(5_000), "description": "d".repeat(600) }))] });
    assert_eq!(send(many.to_string()).await, 400);
    assert_eq!(send(format!(r#"{{"operations":"{}"}}"#, "x".repeat(1024 * 1024))).await, 413);
    assert_eq!(send("x".repeat(1_000_000)).await, 400);
}

#[tokio::test]
async fn every_field_bears_every_type() {
    let world = World::new().await;
    let known = row(
        "2026-07-21",
        json!({ "client_id": world.inn, "client_slug": "inn", "call_id": "c", "operation_type": "call", "description": "d" }),
    );
    for field in known.as_object().unwrap().keys() {
        for wrong in [json!({}), json!([]), json!(true), json!(-1.5), json!(""), json!("\u{0}"), json!(u64::MAX)] {
            let mut row = known.clone();
            row[field] = wrong.clone();
            let (status, answer) = world.send(world.posting(json!([row]))).await;
            assert!(status == 400 || field == "scenario_id" && status == 200, "{field} = {wrong}: {status} {answer}");
        }
    }
}

#[tokio::test]
async fn a_stranger_touches_nothing_of_this_tenant() {
    let world = World::new().await;
    let stranger = World::over(world.table.clone()).await;
    world.store(json!([row("2026-07-21", json!({ "client_id": world.inn }))])).await;

    stranger.store(json!([row("2026-07-21", json!({ "operations_count": 999 }))])).await;
    let (status, answer) =
        stranger.send(stranger.posting(json!([row("2026-07-21", json!({ "client_id": world.inn }))]))).await;

    assert_eq!((status, pointers(&answer)), (400, vec!["/operations/0/client_id"]));
    assert_eq!(world.stored(Some(world.inn)).await[0].operations, 150);
    assert!(world.stored(None).await.is_empty());
}

#[tokio::test]
async fn only_a_key_of_this_scope_may() {
    let world = World::new().await;
    let (other, shown) = ApiKey::issue(world.tenant, "other".into(), vec![Scope::Activity], now(), None);
    world.table.put(&other).await.unwrap();
    let body = json!({ "operations": [row("2026-07-21", json!({}))] });
    for (call, expected) in [
        (nobody(), 401),
        (nobody().with_header("authorization", "Bearer cdk_nonsense"), 401),
        (person(world.tenant, Role::Owner), 401),
        (machine(&shown), 403),
    ] {
        assert_eq!(world.send(call.posting(&body).at(now())).await.0, expected);
    }
    assert!(world.stored(None).await.is_empty());
}

#[tokio::test]
async fn it_costs_what_the_readme_says() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter())).await;
    let rows: Value = (0..100).map(|n| row("2026-07-21", json!({ "scenario_id": n, "client_slug": "inn" }))).collect();
    world.store(rows.clone()).await;
    units.take();

    let (status, _) = world.send(world.posting(rows)).await;
    assert_eq!(status, 200);

    let (write, read) = units.take();
    assert!(write <= 201.0 && read <= 2.0, "{write} WCU, {read} RCU");
}

#[tokio::test]
async fn every_row_of_a_body_counts_against_the_limit() {
    let world = World::new().await;
    let rows: Value = (0..1_000).map(|n| row("2026-07-21", json!({ "scenario_id": n }))).collect();
    for _ in 0..12 {
        world.store(rows.clone()).await;
    }

    let (status, _) = world.send(world.posting(json!([row("2026-07-20", json!({}))]))).await;

    assert_eq!(status, 429);
    assert_eq!(world.stored(None).await.len(), 1_000);
}
