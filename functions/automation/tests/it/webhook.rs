use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::{
    event::{self, Content, Event},
    http::Call,
    id::{AutomationId, EventId},
    key,
    secrets::webhook_secret,
    sign,
    testing::{Units, nobody, table},
};

use crate::{Made, World, forwarding, from_template};

/// An execution signed at a moment, over a body of its own.
fn signed(made: &Made, secret: &SecretString, at: Timestamp, body: &Value, over: &Value) -> Call {
    let mut call = made.unproven(body);
    for (name, value) in &sign::headers(&[secret], "msg_1", at, over.to_string().as_bytes()).unwrap() {
        call = call.with_header(name.as_str(), value.to_str().unwrap());
    }
    call
}

async fn stored(world: &World, answer: &Value) -> Event {
    let id: EventId = answer["data"]["executionId"].as_str().unwrap().parse().unwrap();
    world.table.get(key::event(world.tenant, id)).await.unwrap()
}

async fn counted(world: &World) -> u64 {
    let parts = world.table.list_all(&key::all_runs(world.tenant)).await.unwrap();
    parts.iter().map(|part| part.accepted).sum()
}

#[tokio::test]
async fn an_execution_is_stored_as_it_came_and_counted() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let body = r#" {"b": 12345678901234567890.123456789, "a": "é\u0000"} "#;
    let call = made.call(&json!({})).posting_bytes(body);

    let (status, answer) = world.run(call).await;

    assert_eq!(status, 202);
    assert_eq!((&answer["data"]["duplicate"], &answer["data"]["forwarded"]), (&json!(false), &json!(false)));
    let event = stored(&world, &answer).await;
    assert_eq!((event.event_type.as_str(), event.to), ("automation.executed", None));
    let Content::Automation { automation, template, data } = event.content else {
        panic!("another kind of event");
    };
    assert_eq!(
        (automation.to_string().as_str(), template.as_str(), data.as_str()),
        (made.id(), "lead-to-crm", body.trim())
    );
    assert_eq!(counted(&world).await, 1);
}

#[tokio::test]
async fn it_goes_to_the_automations_make_webhook() {
    let world = World::new().await;
    let made = world.active(forwarding()).await;

    let (_, answer) = world.run(made.call(&json!({ "n": 1 }))).await;

    assert_eq!(answer["data"]["forwarded"], true);
    let event = stored(&world, &answer).await;
    assert_eq!(event.to.unwrap().to_string(), made.0["automation"]["forwardsTo"]["endpointId"]);
}

#[tokio::test]
async fn a_signature_proves_as_much_as_the_secret() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let body = json!({ "n": 1 });
    assert_eq!(world.run(signed(&made, &made.secret(), Timestamp::now(), &body, &body)).await.0, 202);
}

#[tokio::test]
async fn no_other_proof_holds() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let (body, other, now) = (json!({ "n": 1 }), json!({ "n": 2 }), Timestamp::now());
    let ago = |s| now - SignedDuration::from_secs(s);
    let secret = made.secret();
    let of_another = world.active(from_template()).await.secret();

    for (what, call) in [
        ("none", made.unproven(&body)),
        ("an empty secret", made.unproven(&body).with_header("x-webhook-secret", "")),
        ("a wrong secret", made.unproven(&body).with_header("x-webhook-secret", webhook_secret().expose_secret())),
        ("half a secret", made.unproven(&body).with_header("x-webhook-secret", &secret.expose_secret()[..20])),
        (
            "another automation's secret",
            made.unproven(&body).with_header("x-webhook-secret", of_another.expose_secret()),
        ),
        ("a signature of another body", signed(&made, &secret, now, &body, &other)),
        ("one that is too old", signed(&made, &secret, ago(302), &body, &body)),
        ("one from the future", signed(&made, &secret, ago(-302), &body, &body)),
        ("one by another secret", signed(&made, &of_another, now, &body, &body)),
        ("one under another id", signed(&made, &secret, now, &body, &body).with_header("webhook-id", "msg_2")),
        ("nonsense for a signature", made.unproven(&body).with_header("webhook-signature", "v1,nonsense")),
        (
            "a good secret and a bad signature",
            signed(&made, &webhook_secret(), now, &body, &body).with_header("x-webhook-secret", secret.expose_secret()),
        ),
        (
            "a bearer token",
            made.unproven(&body).with_header("authorization", &format!("Bearer {}", secret.expose_secret())),
        ),
    ] {
        let (status, answer) = world.run(call).await;
        assert_eq!((status, &answer["success"]), (401, &json!(false)), "{what}");
    }
    assert_eq!(counted(&world).await, 0);
}

#[tokio::test]
async fn an_inactive_automation_says_so_to_those_alone_who_prove_themselves() {
    let world = World::new().await;
    let made = world.made(from_template()).await;

    assert_eq!(world.run(made.call(&json!({}))).await.0, 409);
    assert_eq!(world.run(made.unproven(&json!({}))).await.0, 401);
}

#[tokio::test]
async fn an_unknown_automation_is_not_found() {
    let world = World::new().await;
    let missing = world.run(nobody().with_part("id", AutomationId::new()).posting(&json!({}))).await;
    let nonsense = world.run(nobody().with_part("id", "abc123").posting(&json!({}))).await;
    assert_eq!(missing.0, 404);
    assert_eq!(missing, nonsense);
}

#[tokio::test]
async fn a_stranger_cannot_run_it_with_a_secret_of_its_own() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let strangers = World::over(world.table.clone());
    let own = strangers.active(from_template()).await;

    let call = made.unproven(&json!({})).with_header("x-webhook-secret", own.secret().expose_secret());

    assert_eq!(world.run(call).await.0, 401);
    assert_eq!(counted(&world).await, 0);
}

#[tokio::test]
async fn nonsense_is_refused_after_the_proof_and_never_our_mistake() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let deep = "[".repeat(200_000);
    for body in ["", "{", "{]", "nonsense", "{\"a\":\u{1}}", deep.as_str(), r#"{"a":1e999}"#] {
        let (status, answer) = world.run(made.call(&json!({})).posting_bytes(body.to_owned())).await;
        assert_eq!((status, &answer["success"]), (400, &json!(false)), "{answer}");
    }
    assert_eq!(world.run(made.call(&json!({})).posting_bytes(&b"{\"a\":\"\xff\"}"[..])).await.0, 400);
    let large = json!("x".repeat(1_000_000));
    assert_eq!(world.run(made.call(&large)).await.0, 413);
    assert_eq!(world.run(made.unproven(&large)).await.0, 401);
    assert_eq!(world.run(made.call(&json!({})).with_header("webhook-id", "")).await.0, 400);
    assert_eq!(world.run(made.call(&json!({})).with_header("idempotency-key", &"x".repeat(256))).await.0, 400);
    assert_eq!(counted(&world).await, 0);
}

#[tokio::test]
async fn any_json_will_do() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    for body in [json!(null), json!([1, null, {}]), json!("text"), json!(7), json!({ "unknown": { "fields": null } })] {
        assert_eq!(world.run(made.call(&body)).await.0, 202, "{body}");
    }
}

#[tokio::test]
async fn the_largest_body_fits_into_its_row() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let body = json!("x".repeat(shared::http::BODY_LIMIT - 2));
    assert_eq!(world.run(made.call(&body)).await.0, 202);
}

#[tokio::test]
async fn sent_again_under_the_same_id_it_is_taken_once() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    for header in ["webhook-id", "idempotency-key"] {
        let call = |body: &Value| made.call(body).with_header(header, header);

        let (first, one) = world.run(call(&json!({ "n": 1 }))).await;
        let (second, two) = world.run(call(&json!({ "n": 1 }))).await;
        let (third, _) = world.run(call(&json!({ "n": 2 }))).await;

        assert_eq!((first, second, third), (202, 202, 422));
        assert_eq!(one["data"]["executionId"], two["data"]["executionId"]);
        assert_eq!((&one["data"]["duplicate"], &two["data"]["duplicate"]), (&json!(false), &json!(true)));
    }
    assert_eq!(counted(&world).await, 2);
}

#[tokio::test]
async fn without_an_id_each_is_another() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let (_, one) = world.run(made.call(&json!({}))).await;
    let (_, two) = world.run(made.call(&json!({}))).await;
    assert_ne!(one["data"]["executionId"], two["data"]["executionId"]);
}

#[tokio::test]
async fn one_id_at_two_automations_is_two_executions() {
    let world = World::new().await;
    let (a, b) = (world.active(from_template()).await, world.active(from_template()).await);
    for made in [a, b] {
        let (_, answer) = world.run(made.call(&json!({})).with_header("webhook-id", "msg_1")).await;
        assert_eq!(answer["data"]["duplicate"], false);
    }
}

#[tokio::test]
async fn five_at_once_are_one_execution() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let run = || world.run(made.call(&json!({ "n": 1 })).with_header("webhook-id", "msg_1"));

    let (a, b, c, d, e) = tokio::join!(run(), run(), run(), run(), run());

    let fresh = [&a, &b, &c, &d, &e].into_iter().filter(|(_, answer)| answer["data"]["duplicate"] == false).count();
    assert!([a, b, c, d, e].iter().all(|(status, _)| *status == 202));
    assert_eq!(fresh, 1);
    assert_eq!(counted(&world).await, 1);
}

#[tokio::test]
async fn killed_between_storing_and_counting_it_is_not_lost_and_not_stored_twice() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let body = json!({ "n": 1 });
    let (_, answer) = world.run(made.call(&body).with_header("webhook-id", "another")).await;
    let automation: AutomationId = made.id().parse().unwrap();
    let half = Event {
        id: event::identity(world.tenant, &[automation.as_bytes(), b"msg_1"]),
        ..stored(&world, &answer).await
    };
    event::accept(&world.table, half.clone()).await.unwrap();

    let (status, answer) = world.run(made.call(&body).with_header("webhook-id", "msg_1")).await;

    assert_eq!((status, &answer["data"]["duplicate"]), (202, &json!(true)));
    assert_eq!(answer["data"]["executionId"], half.id.to_string());
    assert_eq!(counted(&world).await, 1, "one too few, never one too many");
}

#[tokio::test]
async fn too_many_are_told_to_wait() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    let now = Timestamp::now();
    let full = now + SignedDuration::from_mins(1);
    world
        .table
        .change(key::limit(world.tenant, made.id()))
        .set("tenant", world.tenant)
        .set("who", made.id())
        .set("full_at", full.as_millisecond())
        .or_new()
        .send()
        .await
        .unwrap();

    assert_eq!(world.run(made.call(&json!({})).at(now)).await.0, 429);
    assert_eq!(counted(&world).await, 0);
}

#[tokio::test]
async fn it_costs_what_the_readme_says() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter()));
    let made = world.active(from_template()).await;
    let body = json!({ "lead": "x".repeat(512) });
    world.run(made.call(&body)).await;
    units.take();

    world.run(made.call(&body).with_header("webhook-id", "msg_1")).await;
    let (write, read) = units.take();
    assert!(write <= 3.0 && read <= 1.5, "a new one: {write} WCU, {read} RCU");

    world.run(made.call(&body).with_header("webhook-id", "msg_1")).await;
    let (write, read) = units.take();
    assert!(write <= 2.0 && read <= 1.5, "a duplicate: {write} WCU, {read} RCU");
}
