//! Rules are made, changed and taken back by whoever has seen them.

use alerts::rules::{delete, list, put};
use serde_json::{Value, json};
use shared::{
    gate::Role,
    http::Call,
    testing::{nobody, person, person_with, stranger, told},
};

use crate::World;

impl World {
    async fn put(&self, call: Call, kind: &str, query: &str, seen: &str, body: Value) -> (u16, Value) {
        let call = call.with_part("kind", kind).with_query(query).with_header("if-match", seen).posting(&body);
        told(put::handle(&self.rules, call).await)
    }

    async fn all_rules(&self) -> Vec<Value> {
        let (_, answer) = told(list::handle(&self.rules, self.owner()).await);
        answer["data"]["rules"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn what_is_usual_holds_until_somebody_says_otherwise() {
    let world = World::new().await;
    let usual = world.all_rules().await;
    assert_eq!(usual.len(), 7);
    assert_eq!(usual[0]["thresholds"], json!({ "percent": 10, "min_runs": 20 }));
    assert_eq!(usual[1]["thresholds"], json!({ "percent": [50, 80, 90, 100] }));
    assert_eq!((&usual[0]["made"], &usual[0]["etag"]), (&json!(false), &json!("\"0\"")));

    let (status, made) =
        world.put(world.owner(), "error_rate", "", "\"0\"", json!({ "thresholds": { "percent": 5 } })).await;
    assert_eq!((status, &made["data"]["thresholds"]), (200, &json!({ "percent": 5, "min_runs": 20 })));
    let etag = made["data"]["etag"].as_str().unwrap();
    assert_eq!(world.put(world.owner(), "error_rate", "", "\"0\"", json!({})).await.0, 412);
    assert_eq!(world.put(world.owner(), "error_rate", "", etag, json!({ "enabled": false })).await.0, 200);
    let client = format!("client_id={}", world.inn);
    let (status, _) = world
        .put(world.owner(), "limit", &client, "\"0\"", json!({ "thresholds": { "percent": [100, 75, 75] } }))
        .await;
    assert_eq!(status, 200);

    let all = world.all_rules().await;
    assert_eq!((all.len(), &all[0]["enabled"], &all[0]["thresholds"]["percent"]), (8, &json!(false), &json!(10)));
    assert_eq!((&all[7]["client_id"], &all[7]["thresholds"]["percent"]), (&json!(world.inn), &json!([75, 100])));

    let remove = async |seen: &str| {
        let call = world.owner().with_part("kind", "limit").with_query(&client).with_header("if-match", seen);
        told(delete::handle(&world.rules, call).await).0
    };
    assert_eq!(remove("\"0\"").await, 412);
    assert_eq!(remove(all[7]["etag"].as_str().unwrap()).await, 200);
    assert_eq!(remove("*").await, 404);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let world = World::new().await;
    let body = json!({ "thresholds": { "percent": 0, "min_runs": "many", "colour": 1 }, "enabled": 3, "scope": 1 });
    let (status, answer) = world.put(world.owner(), "error_rate", "", "*", body).await;
    assert_eq!((status, answer["errors"].as_array().unwrap().len()), (400, 5), "{answer}");
    for (kind, query, body, status) in [
        ("noise", "", json!({}), 404),
        ("limit", "client_id=cli_nobody", json!({}), 400),
        ("limit", "scenario_id=1", json!({}), 404),
        ("cost_spike", "scenario_id=1", json!({}), 400),
        ("cost_spike", "", json!({ "thresholds": { "floor": "-1" } }), 400),
        ("cost_spike", "", json!({ "thresholds": { "floor": "0.5", "weeks": 4, "percent": 150 } }), 200),
        ("limit", "", json!({ "thresholds": { "percent": [] } }), 400),
        ("silence", "", json!({ "thresholds": { "slack_minutes": 1 } }), 400),
    ] {
        assert_eq!(
            world.put(world.owner(), kind, query, "\"0\"", body.clone()).await.0,
            status,
            "{kind} {query} {body}"
        );
    }
}

#[tokio::test]
async fn owners_make_rules_and_nobody_else() {
    let world = World::new().await;
    let client = world.inn.to_string();
    for (call, status) in [
        (nobody(), 401),
        (person(world.tenant, Role::Supervisor), 403),
        (person_with(world.tenant, Role::Owner, &[("client", &client)]), 403),
    ] {
        assert_eq!(world.put(call, "limit", "", "\"0\"", json!({})).await.0, status);
    }
    let foreign = format!("client_id={client}");
    assert_eq!(world.put(stranger(), "limit", &foreign, "\"0\"", json!({})).await.0, 404);
    let call = world.owner().with_part("kind", "limit").posting(&json!({}));
    assert_eq!(told(put::handle(&world.rules, call).await).0, 428);
    assert_eq!(told(list::handle(&world.rules, person(world.tenant, Role::Agent)).await).0, 403);
    assert_eq!(world.all_rules().await.len(), 7);
}
