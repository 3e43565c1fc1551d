//! What a person does with deliveries and endpoints.

use local::standin::{Fault, Mode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn what_failed_is_counted_first_and_then_started_again_by_a_job() {
    let world = World::new("replay").await;
    let owner = world.token("owner").await;
    world.endpoint(&owner).await;
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(1);
    world.receiver.fail_next(&world.hook(), [Fault::status(422), Fault::status(422)]).await.unwrap();
    for id in ["b1", "b2"] {
        world.book(id).await;
    }
    let failed = world.settled(&owner, 2).await;
    assert!(failed.iter().all(|delivery| delivery["state"] == "failed"), "{failed:?}");

    let preview = json!({ "since": since.to_string(), "preview": true });
    let counted = world.post("/api/v1/deliveries/replay", &owner, &preview).await;
    assert_eq!((counted.status, &counted.body["data"]["count"]), (200, &json!(2)), "{}", counted.body);
    assert_eq!(world.receiver.requests(&world.hook()).await.unwrap().len(), 2, "a preview sends nothing");
    let begun = world.post("/api/v1/deliveries/replay", &owner, &json!({ "since": since.to_string() })).await;
    assert_eq!(begun.status, 202, "{}", begun.body);

    let job = until(&world, &owner, &format!("/api/v1/jobs/{}", begun.body["data"]["id"].as_str().unwrap()), |job| {
        job["state"] == "done"
    })
    .await;
    assert_eq!(job["done"], 2, "{job}");
    let delivered = world.settled(&owner, 2).await;
    assert!(delivered.iter().all(|delivery| delivery["state"] == "delivered"), "{delivered:?}");
    let sent = world.receiver.requests(&world.hook()).await.unwrap();
    let mut ids: Vec<&str> = sent.iter().map(|sent| sent.headers["webhook-id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((sent.len(), ids.len()), (4, 2), "each went out again under its own id");
}

#[tokio::test]
async fn what_waits_can_be_cancelled_and_what_failed_put_away() {
    let world = World::new("cancel").await;
    let owner = world.token("owner").await;
    let (endpoint, _) = world.endpoint(&owner).await;
    let closed =
        world.post(&format!("/api/v1/endpoints/{endpoint}/disable"), &owner, &json!({ "reason": "at work" })).await;
    assert_eq!(closed.status, 200, "{}", closed.body);
    world.book("b1").await;
    let parked = world.settled(&owner, 1).await[0].clone();
    assert_eq!(parked["state"], "parked");

    let path = format!("/api/v1/deliveries/{}/cancel", parked["id"].as_str().unwrap());
    let cancelled = world.post(&path, &owner, &json!({ "reason": "not needed" })).await;
    assert_eq!((cancelled.status, &cancelled.body["data"]["state"]), (200, &json!("cancelled")), "{}", cancelled.body);
    world.post(&format!("/api/v1/endpoints/{endpoint}/enable"), &owner, &json!({})).await;

    world.receiver.fail_next(&world.hook(), [Fault::status(422)]).await.unwrap();
    world.book("b2").await;
    let dead = until(&world, &owner, "/api/v1/dead-letters", |page| {
        page["deliveries"].as_array().is_some_and(|all| all.len() == 1)
    })
    .await;
    let path = format!("/api/v1/deliveries/{}/discard", dead["deliveries"][0]["id"].as_str().unwrap());
    let discarded = world.post(&path, &owner, &json!({ "reason": "a test" })).await;
    assert_eq!((discarded.status, &discarded.body["data"]["state"]), (200, &json!("discarded")), "{}", discarded.body);
    assert_eq!(world.receiver.requests(&world.hook()).await.unwrap().len(), 1, "the cancelled one never left");
}

#[tokio::test]
async fn an_endpoint_is_tested_told_of_and_taken_away() {
    let world = World::new("endpoint").await;
    let owner = world.token("owner").await;
    let (endpoint, _) = world.endpoint(&owner).await;
    let path = format!("/api/v1/endpoints/{endpoint}");

    let tested = world.post(&format!("{path}/test"), &owner, &json!({})).await;
    assert_eq!((tested.status, &tested.body["success"]), (200, &json!(true)), "{}", tested.body);
    let sent = world.receiver.wait_for(&world.hook(), 1).await.unwrap().remove(0);
    assert!(sent.body.unwrap().contains("crossdock.test"));
    let valid = world.get(&format!("{path}/validation"), &owner).await;
    assert_eq!((valid.status, &valid.body["data"]["isValid"]), (200, &json!(true)), "{}", valid.body);

    let shown = world.get(&path, &owner).await;
    let etag = shown.headers["etag"].to_str().unwrap().to_owned();
    let change = |etag: &str, body: Value| {
        world.send(world.request(Method::PATCH, &path).bearer_auth(&owner).header("if-match", etag).json(&body))
    };
    let changed = change(&etag, json!({ "name": "Make, second form", "payload_version": "2" })).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(change(&etag, json!({ "name": "too late" })).await.status, 412);
    world.book("b1").await;
    let sent = world.receiver.wait_for(&world.hook(), 2).await.unwrap().remove(1);
    let body: Value = serde_json::from_str(&sent.body.unwrap()).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]["booking_event"]["id"]),
        (&json!("booking.updated"), &json!("b1")),
        "{body}"
    );
    world.settled(&owner, 1).await;
    // Counted after it is settled.
    until(&world, &owner, &format!("{path}/stats"), |stats| stats["totals"]["succeeded"] == 1).await;

    let shown = world.get(&path, &owner).await;
    let etag = shown.headers["etag"].to_str().unwrap().to_owned();
    let gone = world.send(world.request(Method::DELETE, &path).bearer_auth(&owner).header("if-match", etag)).await;
    assert!(gone.status < 300, "{}", gone.body);
    assert_eq!(world.get(&path, &owner).await.status, 404);
}

#[tokio::test]
async fn a_new_secret_signs_beside_the_old_one_and_the_doctor_tells_them_apart() {
    let world = World::new("rotation").await;
    let owner = world.token("owner").await;
    let (endpoint, _) = world.endpoint(&owner).await;

    let rotated = world.post(&format!("/api/v1/endpoints/{endpoint}/rotate-secret"), &owner, &json!({})).await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    world.book("b1").await;
    let sent = world.receiver.wait_for(&world.hook(), 1).await.unwrap().remove(0);
    assert_eq!(sent.headers["webhook-signature"].split(' ').count(), 2, "both sign");

    let mut headers = json!(sent.headers);
    let asked = json!({ "endpoint_id": endpoint, "headers": headers, "body": sent.body });
    let well = world.post("/api/v1/webhooks/doctor", &owner, &asked).await;
    assert_eq!(well.status, 200, "{}", well.body);
    assert!(well.body.to_string().contains("\"ok\""), "{}", well.body);
    headers["webhook-timestamp"] = json!("1700000000");
    let asked = json!({ "endpoint_id": endpoint, "headers": headers, "body": sent.body });
    let ill = world.post("/api/v1/webhooks/doctor", &owner, &asked).await;
    assert!(ill.body.to_string().contains("\"clock\""), "{}", ill.body);
}

#[tokio::test]
async fn a_trace_tells_the_story_to_its_end() {
    let world = World::new("trace").await;
    let owner = world.token("owner").await;
    world.endpoint(&owner).await;
    world.receiver.set_mode(&world.hook(), Mode::Up).await.unwrap();
    let trace = world.book("b1").await.body["data"]["trace_id"].as_str().unwrap().to_owned();
    world.settled(&owner, 1).await;
    let sent = world.receiver.wait_for(&world.hook(), 1).await.unwrap().remove(0);
    let payload: Value = serde_json::from_str(&sent.body.unwrap()).unwrap();
    let link = payload["outcome_url"].as_str().expect("a link that leads back").to_owned();

    let said = json!({ "status": "success", "execution_id": "da518adcd14b4b64ac6358823ccb80ca" });
    let told = world.send(world.http.post(&link).json(&said)).await;
    assert!(told.status < 300, "{}", told.body);
    let forged = world.send(world.http.post(link.replace("signature=", "signature=x")).json(&said)).await;
    assert!([401, 403, 404].contains(&forged.status), "{}", forged.body);

    let story = until(&world, &owner, &format!("/api/v1/traces/{trace}"), |story| {
        story.to_string().contains("da518adcd14b4b64ac6358823ccb80ca")
    })
    .await;
    assert_eq!(story["complete"], true, "{story}");
    assert_eq!(world.get(&format!("/api/v1/traces/{}", "ab".repeat(16)), &owner).await.status, 404);
}

/// The data of a route, once it is as it should be.
async fn until(world: &World, token: &str, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut body = Value::Null;
    for _ in 0..150 {
        let answer = world.get(path, token).await;
        body = answer.body;
        if answer.status == 200 && is_so(&body["data"]) {
            return body["data"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("{path} did not become as it should: {body}");
}
