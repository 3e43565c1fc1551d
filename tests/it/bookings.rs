//! Endpoint 1: a booking's way from the database's webhook to Make.com.

use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::sign;

use crate::world::{World, booking};

#[tokio::test]
async fn a_booking_arrives_signed_and_is_logged() {
    let world = World::new("booking").await;
    let owner = world.token("owner").await;
    let (_, secret) = world.endpoint(&owner).await;

    let accepted = world.book("b1").await;
    assert_eq!(accepted.status, 202, "{}", accepted.body);
    let sent = world.receiver.wait_for(&world.hook(), 1).await.unwrap().remove(0);

    let headers = sent.headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let body = sent.body.clone().unwrap();
    assert_eq!(sign::verify(&[SecretString::from(secret)], &headers, jiff::Timestamp::now(), body.as_bytes()), Ok(()));
    let payload: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(payload["event_id"], accepted.body["data"]["event_id"]);
    assert_eq!(payload["booking_details"]["booking_number"], "BK-1");
    assert_eq!(payload["source"], "contract-management-system");
    assert!(sent.headers["traceparent"].contains(accepted.body["data"]["trace_id"].as_str().unwrap()));

    let delivery = &world.settled(&owner, 1).await[0];
    assert_eq!(delivery["state"], "delivered");
    assert_eq!(sent.headers["webhook-id"], delivery["id"].as_str().unwrap());
    let log = world.get(&format!("/api/v1/deliveries/{}", delivery["id"].as_str().unwrap()), &owner).await;
    assert_eq!(log.body["data"]["log"][0]["answer"], "Accepted");

    let health = world.get("/api/webhooks/booking-events", &world.api_key).await;
    assert_eq!((health.status, &health.body["data"]["status"]), (200, &json!("healthy")), "{}", health.body);
    assert_eq!(health.body["data"]["success_rate"], 1.0);
}

#[tokio::test]
async fn the_same_booking_five_times_at_once_is_delivered_once() {
    let world = World::new("five").await;
    let owner = world.token("owner").await;
    world.endpoint(&owner).await;

    let answers = futures::future::join_all((0..5).map(|_| world.book("b1"))).await;

    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!(answers.iter().filter(|answer| answer.body["data"]["duplicate"] == false).count(), 1);
    assert_eq!(world.settled(&owner, 1).await.len(), 1);
    assert_eq!(world.receiver.requests(&world.hook()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn bad_bodies_are_told_apart_and_none_is_ours_to_mend() {
    let world = World::new("bodies").await;
    let post = |body: Vec<u8>| {
        let request = world.request(Method::POST, "/api/webhooks/booking-events").bearer_auth(&world.api_key);
        world.send(request.header("content-type", "application/json").body(body))
    };
    for (body, status) in [
        (b"not json".to_vec(), 400),
        (b"".to_vec(), 400),
        (b"{\"type\": null}".to_vec(), 400),
        (b"\xff\xfe".to_vec(), 400),
        (vec![b'['; 100_000], 400),
        (vec![b' '; 1024 * 1024], 413),
    ] {
        let answer = post(body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body["trace_id"].is_string());
    }
    let mut odd = booking("odd");
    odd["surprise"] = json!({ "deep": [1, null] });
    odd["user_id"] = Value::Null;
    assert_eq!(
        world.post("/api/webhooks/booking-events", &world.api_key, &odd).await.status,
        202,
        "unknown fields pass"
    );
}

#[tokio::test]
async fn health_without_an_endpoint_says_what_to_do() {
    let world = World::new("unconfigured").await;
    let health = world.get("/api/webhooks/booking-events", &world.api_key).await;
    assert_eq!(health.body["data"]["errors"][0]["name"], "no_endpoint");
    assert_eq!(world.get("/api/webhooks/booking-events", "nobody").await.status, 401);
}
