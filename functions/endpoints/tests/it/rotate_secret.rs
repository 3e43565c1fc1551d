use endpoints::rotate_secret::{self, Deps};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use local::standin::Recorded;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    gate::Role,
    http::Call,
    id::EndpointId,
    sign,
    testing::{nobody, person, stranger, told, vault},
};

use crate::{HOOK, World, etag, pointers};

async fn rotate(world: &World, call: Call, id: EndpointId) -> (u16, Value) {
    let deps = Deps { gate: world.gate(), table: world.table.clone(), vault: vault() };
    told(rotate_secret::handle(&deps, call.with_part("id", id)).await)
}

fn secret(answer: &Value) -> SecretString {
    answer["data"]["signing_secret"].as_str().unwrap().into()
}

/// What was delivered last, for an event made now.
async fn delivered(world: &World, name: &str) -> Recorded {
    world.accept(name).await;
    world.work().await;
    world.receiver.requests(HOOK).await.unwrap().pop().unwrap()
}

/// Whether a receiver that knows this secret alone takes it.
fn verifies(request: &Recorded, secret: &SecretString, at: Timestamp) -> bool {
    let mut headers = HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, request.header(name).unwrap().parse().unwrap());
    }
    sign::verify(std::slice::from_ref(secret), &headers, at, &request.bytes()).is_ok()
}

#[tokio::test]
async fn both_secrets_sign_until_the_overlap_ends() {
    let mut world = World::new().await;
    let made = world.endpoint().await;
    let old = SecretString::from(made.secret());

    let (status, answer) = rotate(&world, world.owner().posting(&json!({ "overlap_hours": 2 })), made.id()).await;

    assert_eq!(status, 200, "{answer}");
    let new = secret(&answer);
    let until = world.now + SignedDuration::from_hours(2);
    assert_eq!(answer["data"]["previous_secret_until"], until.to_string());
    let shown = world.get(world.owner(), made.id()).await.1;
    assert_eq!(shown["data"]["previous_secret_until"], until.to_string());
    assert_eq!(etag(&shown["data"]), etag(&answer["data"]));
    for (name, at, both) in [("inside", until - SignedDuration::from_secs(1), true), ("after", until, false)] {
        world.now = at;
        let request = delivered(&world, name).await;
        assert!(verifies(&request, &new, at), "{name}");
        assert_eq!(verifies(&request, &old, at), both, "{name}");
    }
    assert_eq!(world.get(world.owner(), made.id()).await.1["data"]["previous_secret_until"], json!(null));
}

#[tokio::test]
async fn without_an_overlap_the_old_one_ends_at_once() {
    let world = World::new().await;
    let made = world.endpoint().await;

    let (_, answer) = rotate(&world, world.owner().posting(&json!({ "overlap_hours": 0 })), made.id()).await;
    let request = delivered(&world, "b1").await;

    assert_eq!(answer["data"]["previous_secret_until"], json!(null));
    assert!(verifies(&request, &secret(&answer), world.now));
    assert!(!verifies(&request, &made.secret().into(), world.now));
}

#[tokio::test]
async fn a_day_unless_given_and_never_three_secrets() {
    let world = World::new().await;
    let made = world.endpoint().await;

    let (_, second) = rotate(&world, world.owner(), made.id()).await;
    let (_, third) = rotate(&world, world.owner().posting(&json!({})), made.id()).await;
    let request = delivered(&world, "b1").await;

    let tomorrow = world.now + SignedDuration::from_hours(24);
    assert_eq!(second["data"]["previous_secret_until"], tomorrow.to_string());
    assert!(verifies(&request, &secret(&third), world.now) && verifies(&request, &secret(&second), world.now));
    assert!(!verifies(&request, &made.secret().into(), world.now), "the first has ended");
    assert_eq!(request.header("webhook-signature").unwrap().split(' ').count(), 2);
}

#[tokio::test]
async fn the_same_request_again_shows_the_same_secret() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let call = || world.owner().with_header("idempotency-key", "k").posting(&json!({}));
    assert_eq!(rotate(&world, call(), made.id()).await, rotate(&world, call(), made.id()).await);
}

#[tokio::test]
async fn five_at_once_leave_one_secret_that_somebody_was_shown() {
    let world = World::new().await;
    let made = world.endpoint().await;
    let rotate = || rotate(&world, world.owner().posting(&json!({ "overlap_hours": 0 })), made.id());

    let (a, b, c, d, e) = tokio::join!(rotate(), rotate(), rotate(), rotate(), rotate());

    let request = delivered(&world, "b1").await;
    let all = [a, b, c, d, e];
    assert!(all.iter().all(|(status, _)| [200, 409].contains(status)), "{all:?}");
    let good = all.iter().filter(|(status, _)| *status == 200);
    assert_eq!(good.filter(|(_, answer)| verifies(&request, &secret(answer), world.now)).count(), 1);
}

#[tokio::test]
async fn a_change_that_saw_the_old_one_has_to_look_again() {
    let world = World::new().await;
    let made = world.endpoint().await;

    let (_, answer) = rotate(&world, world.owner(), made.id()).await;

    assert_ne!(etag(&answer["data"]), made.etag());
}

#[tokio::test]
async fn nonsense_is_refused() {
    let world = World::new().await;
    let made = world.endpoint().await;
    for hours in [json!(-1), json!(169), json!(1.5), json!("24"), json!([])] {
        let call = world.owner().posting(&json!({ "overlap_hours": hours }));
        let (status, answer) = rotate(&world, call, made.id()).await;
        assert_eq!((status, pointers(&answer)), (400, vec!["/overlap_hours"]), "{hours}");
    }
    for body in ["{", "[]", "null", r#"{"hours":1}"#] {
        assert_eq!(rotate(&world, world.owner().posting_bytes(body), made.id()).await.0, 400, "{body}");
    }
}

#[tokio::test]
async fn a_stranger_finds_nothing_and_only_an_owner_may() {
    let world = World::new().await;
    let made = world.endpoint().await;
    for (call, expected) in [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Supervisor), 403)] {
        assert_eq!(rotate(&world, call, made.id()).await.0, expected);
    }
    assert_eq!(world.row(made.id()).await.revision, 0);
}
