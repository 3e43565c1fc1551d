use automation::rotate_secret::{self, Deps};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    sign,
    testing::{nobody, person, stranger, told, vault},
};

use crate::{Made, World, from_template, pointers};

async fn rotate(world: &World, call: Call) -> (u16, Value) {
    let deps = Deps { gate: Gate::new(world.table.clone()), table: world.table.clone(), vault: vault() };
    told(rotate_secret::handle(&deps, call).await)
}

/// An execution at a moment, proven by a secret: as it is, and as the key of a signature.
fn proven(made: &Made, secret: &SecretString, at: Timestamp) -> [Call; 2] {
    use secrecy::ExposeSecret;
    let body = json!({ "n": 1 });
    let plain = made.unproven(&body).at(at).with_header("x-webhook-secret", secret.expose_secret());
    let mut signed = made.unproven(&body).at(at);
    for (name, value) in &sign::headers(&[secret], "msg_1", at, body.to_string().as_bytes()).unwrap() {
        signed = signed.with_header(name.as_str(), value.to_str().unwrap());
    }
    [plain, signed]
}

#[tokio::test]
async fn the_old_secret_holds_until_the_overlap_ends() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let now = Timestamp::now();
    let call = world.owner().with_part("id", made.id()).at(now).posting(&json!({ "overlap_hours": 2 }));

    let (status, answer) = rotate(&world, call).await;

    assert_eq!(status, 200);
    let new = SecretString::from(answer["data"]["webhookSecret"].as_str().unwrap());
    let old = made.secret();
    let just_inside = now + SignedDuration::from_secs(2 * 3600 - 1);
    let at_the_end = now + SignedDuration::from_secs(2 * 3600);
    for (secret, at, expected) in
        [(&new, now, 202), (&old, just_inside, 202), (&old, at_the_end, 401), (&new, at_the_end, 202)]
    {
        for call in proven(&made, secret, at) {
            assert_eq!(world.run(call).await.0, expected, "{at}");
        }
    }
    assert_eq!(answer["data"]["previousSecretUntil"], at_the_end.to_string());
}

#[tokio::test]
async fn without_an_overlap_the_old_secret_ends_at_once() {
    let world = World::new().await;
    let made = world.active(from_template()).await;

    let (_, answer) =
        rotate(&world, world.owner().with_part("id", made.id()).posting(&json!({ "overlap_hours": 0 }))).await;

    assert_eq!(answer["data"]["previousSecretUntil"], json!(null));
    assert_eq!(world.run(made.call(&json!({}))).await.0, 401);
}

#[tokio::test]
async fn a_day_of_overlap_unless_given_and_never_three_secrets() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let call = || world.owner().with_part("id", made.id());

    let (status, answer) = rotate(&world, call()).await;
    let second = SecretString::from(answer["data"]["webhookSecret"].as_str().unwrap());
    assert_eq!(status, 200);
    assert!(answer["data"]["previousSecretUntil"].is_string());
    assert_eq!(world.run(made.call(&json!({}))).await.0, 202);

    rotate(&world, call()).await;
    assert_eq!(world.run(made.call(&json!({}))).await.0, 401, "the first has ended");
    for call in proven(&made, &second, Timestamp::now()) {
        assert_eq!(world.run(call).await.0, 202, "the second still holds");
    }
}

#[tokio::test]
async fn the_same_request_again_shows_the_same_secret() {
    let world = World::new().await;
    let made = world.made(from_template()).await;
    let call = || world.owner().with_part("id", made.id()).with_header("idempotency-key", "k").posting(&json!({}));
    assert_eq!(rotate(&world, call()).await, rotate(&world, call()).await);
}

#[tokio::test]
async fn five_at_once_leave_one_secret_that_somebody_was_shown() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let rotate = || rotate(&world, world.owner().with_part("id", made.id()).posting(&json!({ "overlap_hours": 0 })));

    let (a, b, c, d, e) = tokio::join!(rotate(), rotate(), rotate(), rotate(), rotate());

    let mut good = 0;
    for (status, answer) in [a, b, c, d, e] {
        assert!(status == 200 || status == 409, "{answer}");
        if status == 200 {
            let secret = SecretString::from(answer["data"]["webhookSecret"].as_str().unwrap());
            let [plain, _] = proven(&made, &secret, Timestamp::now());
            good += u32::from(world.run(plain).await.0 == 202);
        }
    }
    assert_eq!(good, 1);
}

#[tokio::test]
async fn nonsense_is_refused() {
    let world = World::new().await;
    let made = world.made(from_template()).await;
    let call = || world.owner().with_part("id", made.id());
    for hours in [json!(-1), json!(169), json!(1.5), json!("24"), json!([])] {
        let (status, answer) = rotate(&world, call().posting(&json!({ "overlap_hours": hours }))).await;
        assert_eq!((status, pointers(&answer)), (400, vec!["/overlap_hours"]), "{hours}");
    }
    for body in ["{", "[]", "null", r#"{"hours":1}"#] {
        assert_eq!(rotate(&world, call().posting_bytes(body)).await.0, 400, "{body}");
    }
}

#[tokio::test]
async fn a_stranger_finds_nothing_and_only_an_owner_may() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    for (call, expected) in [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Supervisor), 403)] {
        assert_eq!(rotate(&world, call.with_part("id", made.id())).await.0, expected);
    }
    assert_eq!(world.run(made.call(&json!({}))).await.0, 202, "the secret has not changed");
}
