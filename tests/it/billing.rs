//! A client's month: a draft, closed once, and corrected by later lines.

use std::time::Duration;

use jiff::{ToSpan, Zoned};
use serde_json::{Value, json};

use crate::world::{Answer, World};

#[tokio::test]
async fn a_closed_month_stays_and_what_comes_late_is_a_correction() {
    let world = World::new("billing").await;
    let owner = world.token("owner").await;
    let client = world.clients[0]["client_id"].as_str().unwrap().to_owned();
    let last_month = Zoned::now().date().first_of_month().saturating_sub(1.day());
    let month = last_month.strftime("%Y-%m").to_string();
    let path = format!("/api/v1/billing/{client}/{month}");
    let close = async || world.post(&format!("{path}/close"), &owner, &json!({})).await;
    let correct =
        async || world.post(&format!("{path}/corrections"), &owner, &json!({ "reason": "a day came late" })).await;
    state(&world, "=Intake", last_month.to_string(), "7.555").await;

    let draft = world.get(&path, &owner).await;
    assert_eq!((draft.status, &draft.body["data"]["final"]), (200, &json!(false)), "{}", draft.body);
    let early = close().await;
    assert_eq!(early.status, 409, "a day of it is not counted yet: {}", early.body);
    let closed = settled(&world, close).await;
    assert_eq!(
        (closed.status, &closed.body["data"]["totals"]["costs"][0]["amount"]),
        (201, &json!(7.56)),
        "{}",
        closed.body
    );
    assert_eq!(close().await.status, 200, "once");
    assert_eq!(correct().await.status, 409, "nothing differs");

    state(&world, "Late", last_month.to_string(), "1.00").await;
    let corrected = settled(&world, correct).await;
    assert_eq!(
        (corrected.status, &corrected.body["data"]["number"], &corrected.body["data"]["totals"]["costs"][0]["amount"]),
        (201, &json!(1), &json!(1.0)),
        "{}",
        corrected.body
    );
    let whole = world.get(&path, &owner).await.body["data"].clone();
    assert_eq!((&whole["final"], whole["lines"].as_array().map(Vec::len)), (&json!(true), Some(1)), "{whole}");
    let theirs = world.of_client("supervisor", &client).await;
    let csv = world.get(&format!("{path}?format=csv"), &theirs).await;
    assert!(csv.body.as_str().unwrap().contains("'=Intake"), "no spreadsheet reads it as a formula: {}", csv.body);
    let other = world.of_client("supervisor", world.clients[1]["client_id"].as_str().unwrap()).await;
    assert_eq!(world.get(&path, &other).await.status, 404);
}

async fn state(world: &World, name: &str, date: String, cost: &str) {
    let row = json!({
        "client_slug": "harbour-inn", "scenario_name": name, "date": date, "operations_count": 9, "cost_usd": cost,
        "success_count": 9, "error_count": 0,
    });
    let synced = world.post("/api/make-operations/sync", &world.api_key, &json!({ "operations": [row] })).await;
    assert_eq!(synced.status, 200, "{}", synced.body);
}

/// Asks until the days are counted: a note stands for two minutes after the last word.
async fn settled(world: &World, ask: impl AsyncFn() -> Answer) -> Answer {
    let mut last = Value::Null;
    for _ in 0..40 {
        let answer = ask().await;
        if answer.status != 409 {
            return answer;
        }
        last = answer.body;
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.stack.invoke("MakeOperationsFold", &json!({})).await.unwrap();
    }
    panic!("the days were not counted: {last}");
}
