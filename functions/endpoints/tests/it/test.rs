use endpoints::test::{self, Deps};
use http::HeaderMap;
use local::standin::{Fault, Mode};
use serde_json::{Value, json};
use shared::{
    egress::Egress,
    endpoint::State,
    gate::Role,
    http::Call,
    key,
    limit::Limits,
    sign,
    testing::{self, nobody, person, stranger, told, vault},
};

use crate::{HOOK, KEY, Made, World};

/// Where SES listens.
pub const SES: &str = "/email.us-east-1.amazonaws.com";

pub fn deps(world: &World) -> Deps {
    Deps {
        gate: world.gate(),
        table: world.table.clone(),
        vault: vault(),
        egress: world.egress.clone(),
        mail: testing::mail(&world.receiver.url(SES)),
        stage: "test".into(),
        limits: Limits::default(),
    }
}

async fn tested(world: &World, made: &Made) -> Value {
    let (status, answer) =
        told(test::handle(&deps(world), world.owner().with_part("id", made.id()).posting(&json!({}))).await);
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn it_is_sent_as_a_delivery_would_be() {
    let world = World::new().await;
    let made = world.endpoint().await;

    let answer = tested(&world, &made).await;

    assert_eq!((&answer["success"], &answer["status"]), (&json!(true), &json!(200)));
    assert_eq!((&answer["answer"], &answer["error"]), (&json!("Accepted"), &json!(null)));
    assert!(answer["responseTime"].is_u64());
    let [request] = &world.receiver.requests(HOOK).await.unwrap()[..] else { panic!("one request") };
    assert_eq!(
        (request.header("x-make-apikey"), request.header("webhook-id")),
        (Some(KEY), answer["event_id"].as_str())
    );
    let mut headers = HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, request.header(name).unwrap().parse().unwrap());
    }
    assert_eq!(sign::verify(&[made.secret().into()], &headers, world.now, &request.bytes()), Ok(()));
    let body = request.json();
    assert_eq!((&body["event_type"], &body["system"]["environment"]), (&json!("crossdock.test"), &json!("test")));
    assert_eq!((&body["client_info"]["id"], &body["missing_context"]), (&json!("test-client"), &json!([])));
}

#[tokio::test]
async fn it_comes_in_the_endpoints_own_form() {
    let world = World::new().await;
    let made = world.made(json!({ "name": "Make", "url": world.receiver.url(HOOK), "payload_version": "2" })).await;

    tested(&world, &made).await;

    let body = world.receiver.requests(HOOK).await.unwrap()[0].json();
    assert_eq!((&body["type"], &body["data"]["event_type"]), (&json!("crossdock.test"), &json!("crossdock.test")));
}

#[tokio::test]
async fn what_goes_wrong_is_shown_and_changes_nothing() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let long = "é".repeat(2_000);
    world
        .receiver
        .fail_next(HOOK, [Fault::queue_full(), Fault::closed(), Fault::down(), Fault::status(500).body(long)])
        .await
        .unwrap();

    let (full, closed, down, broken) = (
        tested(&world, &made).await,
        tested(&world, &made).await,
        tested(&world, &made).await,
        tested(&world, &made).await,
    );

    assert_eq!((&full["success"], &full["answer"]), (&json!(false), &json!("Queue is full")));
    assert_eq!(closed["error"], "the receiver answered HTTP 410");
    assert_eq!((&down["error"], &down["status"]), (&json!("no connection"), &json!(null)));
    assert_eq!(broken["answer"].as_str().map(str::len), Some(1_000));
    let row = world.row(made.id()).await;
    assert_eq!((row.state, row.failures, row.revision), (State::Active, 0, 0));
    let hours = key::hours(world.tenant, made.id(), world.now, world.now);
    assert!(world.table.list_all(&hours).await.unwrap().is_empty() && world.deliveries().await.is_empty());
}

#[tokio::test]
async fn one_that_is_closed_can_be_tested_before_it_is_opened() {
    let world = World::new().await;
    let made = world.endpoint().await;
    world.disable(world.owner().posting(&json!({ "reason": "rebuilding" })), made.id()).await;

    assert_eq!(tested(&world, &made).await["success"], true);
}

#[tokio::test]
async fn an_address_that_leads_inside_is_not_called() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let guarded = Deps { egress: Egress::new("", ""), ..deps(&world) };

    let (status, answer) =
        told(test::handle(&guarded, world.owner().with_part("id", made.id()).posting(&json!({}))).await);

    assert_eq!((status, &answer["success"]), (200, &json!(false)));
    assert!(answer["error"].as_str().unwrap().starts_with("the address must not be called"));
    assert!(world.receiver.requests(HOOK).await.unwrap().is_empty());
}

#[tokio::test]
async fn ten_a_minute_and_the_same_request_once() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let deps = deps(&world);
    let ask = |call: Call| test::handle(&deps, call.with_part("id", made.id()).posting(&json!({})));
    let named = || world.owner().with_header("idempotency-key", "k");

    let (first, again) = (told(ask(named()).await), told(ask(named()).await));
    assert_eq!(first, again);
    assert_eq!(world.receiver.requests(HOOK).await.unwrap().len(), 1);
    for _ in 0..9 {
        assert_eq!(told(ask(world.owner()).await).0, 200);
    }
    assert_eq!(told(ask(world.owner()).await).0, 429);
}

#[tokio::test]
async fn a_stranger_finds_nothing_and_only_an_owner_may() {
    let world = World::new().await;
    let made = world.endpoint().await;
    world.receiver.set_mode(HOOK, Mode::Up).await.unwrap();
    for (call, expected) in [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Supervisor), 403)] {
        assert_eq!(told(test::handle(&deps(&world), call.with_part("id", made.id())).await).0, expected);
    }
    assert!(world.receiver.requests(HOOK).await.unwrap().is_empty());
}
