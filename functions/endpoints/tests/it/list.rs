use endpoints::list;
use serde_json::json;
use shared::{
    http::{Call, Reply},
    testing::stranger,
};

use crate::{KEY, World};

async fn listed(world: &World, call: Call) -> Reply {
    let deps = list::Deps { gate: world.gate(), table: world.table.clone() };
    list::handle(&deps, call).await.unwrap()
}

#[tokio::test]
async fn the_same_list_again_is_not_sent_again() {
    let world = World::new().await;
    let made = world.endpoint().await;

    let first = listed(&world, world.supervisor()).await;
    let tag = first.headers["etag"].to_str().unwrap();
    let again = listed(&world, world.supervisor().with_header("if-none-match", tag)).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16(), again.body.len()), (200, 304, 0));
    assert_eq!(first.json()["data"]["endpoints"][0], made.0["endpoint"]);

    world.disable(world.owner().posting(&json!({ "reason": "closed for today" })), made.id()).await;
    let changed = listed(&world, world.supervisor().with_header("if-none-match", tag)).await;
    assert_eq!(changed.status, 200, "a state is part of the list");
}

#[tokio::test]
async fn address_secret_and_key_are_never_shown_again() {
    let world = World::new().await;
    let made = world.endpoint().await;

    let shown = listed(&world, world.supervisor()).await.json();

    let text = shown.to_string();
    assert!(!text.contains("/bookings") && !text.contains(made.secret()) && !text.contains(KEY), "{text}");
    assert_eq!(shown["data"]["endpoints"][0]["has_make_api_key"], true);
}

#[tokio::test]
async fn a_stranger_sees_none() {
    let world = World::new().await;
    world.endpoint().await;
    assert_eq!(listed(&world, stranger()).await.json()["data"]["endpoints"], json!([]));
}
