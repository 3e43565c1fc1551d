//! Alerts: judged by the hour, told once, and told when they end.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

/// Somebody who is told of alerts, in a form of its own. The path at the stand-in.
async fn told_at(world: &World, owner: &str, path: String, form: &str) -> String {
    let url = world.receiver.url(&path);
    let endpoint = json!({ "name": form, "url": url, "payload_version": form, "event_types": ["alert.*"] });
    let made = world.post("/api/v1/endpoints", owner, &endpoint).await;
    assert_eq!(made.status, 201, "{}", made.body);
    path.split('?').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_scenario_that_fails_is_told_of_once_in_the_form_of_each_who_is_told() {
    let world = World::new("alerts").await;
    let owner = world.token("owner").await;
    let slack = told_at(&world, &owner, format!("/hooks.slack.com/services/T0/B0/{}", world.name), "slack").await;
    let flow = format!("/prod-1.westeurope.logic.azure.com/workflows/{}/paths/invoke?sig=s", world.name);
    let teams = told_at(&world, &owner, flow, "teams").await;
    let mailbox = format!("{}@marina.example", world.name);
    let mail = json!({ "name": "On call", "url": format!("mailto:{mailbox}") });
    let made = world.post("/api/v1/endpoints", &owner, &mail).await;
    assert_eq!(
        (made.status, &made.body["data"]["endpoint"]["payload_version"]),
        (201, &json!("email")),
        "{}",
        made.body
    );
    let make = told_at(&world, &owner, world.hook(), "2").await;
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(1);
    let run = |n: usize, status: &str| json!({ "id": format!("{status}{n}"), "status": status, "operations_consumed": 3, "timestamp": at });
    let failing: Vec<Value> = (0..12).map(|n| run(n, "error")).chain((0..13).map(|n| run(n, "success"))).collect();
    let runs = json!({ "scenario_id": "418339", "scenario_name": "Intake & Mail", "client_slug": "harbour-inn", "executions": failing });
    let recorded = world.post("/api/make-operations/webhook", &world.api_key, &runs).await;
    assert_eq!(recorded.status, 200, "{}", recorded.body);

    let rule = json!({ "kind": "error_rate", "scope": { "scenario_id": "418339" } });
    let rehearsed = world.post("/api/v1/alert-rules/rehearse", &owner, &rule).await;
    assert_eq!((rehearsed.status, &rehearsed.body["data"]["subjects"]), (200, &json!(1)), "{}", rehearsed.body);

    for _ in 0..2 {
        world.stack.invoke("AlertsEvaluate", &json!({})).await.unwrap();
    }
    let alerts = world.get("/api/v1/alerts?kind=error_rate", &owner).await.body["data"]["alerts"].clone();
    let alert = &alerts[0];
    assert_eq!((alerts.as_array().map(Vec::len), &alert["state"]), (Some(1), &json!("open")), "{alerts}");
    assert_eq!(alert["evidence"]["failed"], 12, "{alert}");
    for path in [&slack, &teams, &make] {
        let told = world.receiver.wait_for(path, 1).await.unwrap();
        assert!(told[0].body.as_ref().unwrap().contains("12 of 25 runs failed"), "{path}: {:?}", told[0].body);
    }
    assert!(world.receiver.requests(&slack).await.unwrap()[0].body.as_ref().unwrap().contains("Intake &amp; Mail"));

    let letter = letter_to(&world, &mailbox).await;
    assert!(letter["Subject"].as_str().unwrap().contains("12 of 25 runs failed"), "{letter}");

    let (theirs, others) = (client(&world, 0).await, client(&world, 1).await);
    let path = format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap());
    assert_eq!(world.get(&path, &theirs).await.status, 200);
    assert_eq!(world.get(&path, &others).await.status, 404);
    assert_eq!(world.post(&format!("{path}/acknowledge"), &theirs, &json!({})).await.status, 403);
    let seen = world.post(&format!("{path}/acknowledge"), &owner, &json!({})).await;
    assert_eq!((seen.status, &seen.body["data"]["state"]), (200, &json!("acknowledged")), "{}", seen.body);

    let off = json!({ "enabled": false });
    let put = world.request(Method::PUT, "/api/v1/alert-rules/error_rate?scenario_id=418339").bearer_auth(&owner);
    let put = world.send(put.header("if-match", "\"0\"").json(&off)).await;
    assert!(put.status < 300, "{}", put.body);
    let over = world.post(&format!("{path}/resolve"), &owner, &json!({})).await;
    assert_eq!((over.status, &over.body["data"]["state"]), (200, &json!("resolved")), "{}", over.body);
    let told = world.receiver.wait_for(&slack, 2).await.unwrap();
    assert!(told[1].body.as_ref().unwrap().contains("Over: "), "{:?}", told[1].body);
}

async fn client(world: &World, nth: usize) -> String {
    world.of_client("agent", world.clients[nth]["client_id"].as_str().unwrap()).await
}

/// The first e-mail that the emulator's SES was given for an address.
async fn letter_to(world: &World, mailbox: &str) -> Value {
    let url = format!("{}/_ministack/ses/messages", world.stack.emulator_url);
    for _ in 0..100 {
        let sent: Value = world.http.get(&url).send().await.unwrap().json().await.unwrap();
        let mut all = sent["messages"].as_object().into_iter().flat_map(|accounts| accounts.values()).flat_map(list);
        if let Some(letter) = all.find(|letter| letter["To"].to_string().contains(mailbox)) {
            return letter.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("nothing was sent to {mailbox}");
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
