use endpoints::{create, enable, list};
use local::standin::Mode;
use serde_json::{Value, json};
use shared::{
    delivery::State,
    egress::Egress,
    endpoint,
    gate::{Gate, Role},
    http::Call,
    testing::{nobody, person, stranger, told, vault},
};

use crate::world::{HOOK, World};

async fn made(world: &World, call: Call) -> (u16, Value) {
    let deps = create::Deps {
        gate: Gate::new(world.table.clone()),
        table: world.table.clone(),
        vault: vault(),
        egress: Egress::new("", ""),
    };
    told(create::handle(&deps, call).await)
}

async fn enabled(world: &World, call: Call) -> (u16, Value) {
    let deps =
        enable::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone(), queue: world.queue.clone() };
    told(enable::handle(&deps, call.with_part("id", world.endpoint)).await)
}

#[tokio::test]
async fn its_address_and_secret_are_never_shown_again() {
    let world = World::new().await;
    let deps = list::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone() };

    let (status, body) = told(list::handle(&deps, person(world.tenant, Role::Supervisor)).await);

    assert_eq!(status, 200);
    let text = body.to_string();
    assert!(
        !text.contains("/bookings") && !text.contains(&world.secret) && !text.contains("key-of-the-hook"),
        "{text}"
    );
    assert_eq!(body["data"]["endpoints"][0]["has_make_api_key"], true);
    let (_, others) = told(list::handle(&deps, stranger()).await);
    assert_eq!(others["data"]["endpoints"], json!([]));
}

#[tokio::test]
async fn everything_wrong_with_one_is_told_at_once() {
    let world = World::new().await;
    let body = json!({ "name": "", "url": "http://169.254.169.254/", "make_api_key": "ü", "event_types": [""], "colour": "red" });

    let (status, problem) = made(&world, person(world.tenant, Role::Owner).posting(&body)).await;

    assert_eq!(status, 400);
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/name", "/url", "/make_api_key", "/event_types", "/colour"]);
}

#[tokio::test]
async fn odd_bodies_are_refused_and_never_ours_to_mend() {
    let world = World::new().await;
    for body in ["", "[]", "null", "{\"name\": 1, \"url\": null}", "{\"name\":", "\u{0}"] {
        let (status, _) = made(&world, person(world.tenant, Role::Owner).posting_bytes(body)).await;
        assert_eq!(status, 400, "{body:?}");
    }
    let large = vec![b' '; 300 * 1024];
    assert_eq!(made(&world, person(world.tenant, Role::Owner).posting_bytes(large)).await.0, 413);
}

#[tokio::test]
async fn the_same_request_twice_makes_one() {
    let world = World::new().await;
    let ask = |name: &str| {
        person(world.tenant, Role::Owner)
            .with_header("idempotency-key", "k1")
            .posting(&json!({ "name": name, "url": "https://hook.eu1.make.com/abc" }))
    };

    let (first, again, other) =
        (made(&world, ask("a")).await, made(&world, ask("a")).await, made(&world, ask("b")).await);

    assert_eq!((first.0, again.0, other.0), (201, 201, 422));
    assert_eq!(first.1, again.1);
}

#[tokio::test]
async fn only_owners_make_and_open_them() {
    let world = World::new().await;
    let body = json!({ "name": "a", "url": "https://hook.eu1.make.com/abc" });
    assert_eq!(made(&world, nobody().posting(&body)).await.0, 401);
    assert_eq!(made(&world, person(world.tenant, Role::Supervisor).posting(&body)).await.0, 403);
    assert_eq!(enabled(&world, stranger()).await.0, 404);
    assert_eq!(enabled(&world, person(world.tenant, Role::Agent)).await.0, 403);
}

#[tokio::test]
async fn opening_one_sends_what_waited() {
    let mut world = World::new().await;
    world.receiver.set_mode(HOOK, Mode::Closed).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;
    world.accept("b2").await;
    world.receiver.heal(HOOK).await.unwrap();

    let (status, body) = enabled(&world, person(world.tenant, Role::Owner)).await;
    world.run_until(world.now).await;

    assert_eq!((status, &body["data"]["state"]), (200, &json!("active")));
    assert!(world.deliveries().await.iter().all(|delivery| delivery.state == State::Delivered));
    assert_eq!(world.endpoint().await.state, endpoint::State::Active);
}
