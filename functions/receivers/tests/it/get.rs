use jiff::SignedDuration;
use receivers::get::{self, Deps};
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    id::EndpointId,
    testing::{person, stranger, told},
};

use crate::world::World;

async fn asked(world: &World, call: Call) -> (u16, Value) {
    let deps = Deps { gate: Gate::new(world.table.clone()), table: world.table.clone() };
    told(get::handle(&deps, call.with_part("id", world.endpoint).at(world.now)).await)
}

async fn told_to_a_supervisor(world: &World) -> Value {
    let (status, body) = asked(world, person(world.tenant, Role::Supervisor)).await;
    assert_eq!(status, 200, "{body}");
    body["data"].clone()
}

#[tokio::test]
async fn it_says_why_a_delivered_event_had_no_effect() {
    let mut world = World::watched().await;
    world.look_well().await;
    let since = world.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    world.standin.set_make_hook(crate::world::ZONE, world.customer.hook_id, json!({ "queueCount": 12 })).await.unwrap();
    world.look_at_scenario(json!({ "isActive": false })).await;

    let told = told_to_a_supervisor(&world).await;

    assert_eq!(told["verdict"], "scenario_off");
    let finding = &told["findings"][0];
    assert_eq!(finding["severity"], "error");
    assert_eq!(
        finding["detail"],
        format!(
            "delivered to Make.com, but scenario \"Booking intake\" is off since {since}: 12 events wait in its queue"
        )
    );
    assert_eq!((&told["endpoint_state"], &told["held_by"]), (&json!("held"), &json!("receiver")));
    assert_eq!((&told["hook"]["queue_count"], &told["queue_fill"]), (&json!(12), &json!(1)));
    assert_eq!(told["scenario"]["is_active"], false);
}

#[tokio::test]
async fn it_says_that_all_is_well_or_that_nobody_looks() {
    let mut world = World::new().await;
    let told = told_to_a_supervisor(&world).await;
    assert_eq!((&told["verdict"], &told["hook"]), (&json!("not_watched"), &Value::Null));

    world.given().await;
    assert_eq!(told_to_a_supervisor(&world).await["verdict"], "not_watched");
    world.look_well().await;
    let told = told_to_a_supervisor(&world).await;
    assert_eq!((&told["verdict"], &told["findings"]), (&json!("working"), &json!([])));
}

#[tokio::test]
async fn it_says_how_old_it_is_and_why_there_is_nothing_newer() {
    let mut world = World::watched().await;
    world.look_well().await;
    let said = json!({ "token": world.customer.token, "scopes": [] });
    world.standin.make_put(crate::world::ZONE, "tokens", said).await.unwrap();
    world.look().await;
    world.now += SignedDuration::from_mins(20);

    let told = told_to_a_supervisor(&world).await;

    let names: Vec<&str> =
        told["findings"].as_array().unwrap().iter().map(|finding| finding["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["receiver_unknown", "make_token_refused"], "{told}");
}

#[tokio::test]
async fn it_is_for_supervisors_of_the_tenant() {
    let world = World::watched().await;
    assert_eq!(asked(&world, person(world.tenant, Role::Agent)).await.0, 403);
    assert_eq!(asked(&world, stranger()).await.0, 404);
    let deps = Deps { gate: Gate::new(world.table.clone()), table: world.table.clone() };
    for id in [EndpointId::new().to_string(), "nonsense".into()] {
        let call = person(world.tenant, Role::Owner).with_part("id", id);
        assert_eq!(told(get::handle(&deps, call).await).0, 404);
    }
}
