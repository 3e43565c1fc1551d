use automation::list::{self, Deps};
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    testing::{nobody, person, person_with, stranger, told, vault},
};

use crate::{World, from_template};

async fn list(world: &World, call: Call) -> (u16, Value) {
    let deps = Deps {
        gate: Gate::new(world.table.clone()),
        table: world.table.clone(),
        vault: vault(),
        public_url: String::new(),
    };
    told(list::handle(&deps, call).await)
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["data"]["automations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|automation| automation["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_latest_comes_first_with_its_status_and_counts() {
    let world = World::new().await;
    let old = world.made(from_template()).await;
    let new = world.active(from_template()).await;
    for n in 0..3 {
        world.run(new.call(&json!({ "n": n }))).await;
    }

    let (status, answer) = list(&world, person(world.tenant, Role::Agent)).await;

    assert_eq!(status, 200);
    assert_eq!(ids(&answer), [new.id(), old.id()]);
    let shown = &answer["data"]["automations"];
    assert_eq!((&shown[0]["status"], &shown[1]["status"]), (&json!("active"), &json!("inactive")));
    assert_eq!(shown[0]["executions"]["total"], 3);
    assert_eq!(shown[1]["executions"]["total"], 0);
    assert_eq!(answer["data"]["next_cursor"], json!(null));
}

#[tokio::test]
async fn pages_follow_one_another() {
    let world = World::new().await;
    for _ in 0..3 {
        world.made(from_template()).await;
    }

    let (_, first) = list(&world, world.owner().with_query("limit=2")).await;
    let cursor = first["data"]["next_cursor"].as_str().unwrap();
    let (_, second) = list(&world, world.owner().with_query(&format!("limit=2&cursor={cursor}"))).await;

    assert_eq!((ids(&first).len(), ids(&second).len()), (2, 1));
    assert!(!ids(&first).contains(&ids(&second)[0]));
}

#[tokio::test]
async fn a_cursor_is_good_for_its_tenant_alone() {
    let world = World::new().await;
    world.made(from_template()).await;
    world.made(from_template()).await;
    let (_, first) = list(&world, world.owner().with_query("limit=1")).await;
    let cursor = first["data"]["next_cursor"].as_str().unwrap();

    assert_eq!(list(&world, stranger().with_query(&format!("cursor={cursor}"))).await.0, 400);
}

#[tokio::test]
async fn nonsense_is_refused() {
    let world = World::new().await;
    for query in ["limit=0", "limit=101", "limit=x", "limit=-1", "cursor=nonsense", "colour=red"] {
        assert_eq!(list(&world, world.owner().with_query(query)).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn a_stranger_sees_none_of_them() {
    let world = World::new().await;
    world.made(from_template()).await;

    let (status, answer) = list(&world, stranger()).await;

    assert_eq!((status, ids(&answer)), (200, vec![]));
    assert_eq!(list(&world, nobody()).await.0, 401);
    let client = shared::id::ClientId::new().to_string();
    assert_eq!(list(&world, person_with(world.tenant, Role::Owner, &[("client", &client)])).await.0, 403);
}
