//! Endpoint 4: Make.com's usage, in by the day, out as metrics.

use serde_json::json;

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
