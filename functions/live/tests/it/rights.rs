//! A role sees only what it may, live and in its history.

use live::booking_history;
use serde_json::json;
use shared::{
    gate::{Gate, Role},
    testing::{person_with, stranger, told, vault},
};

use crate::world::{World, subscribe};

/// What a person with that role, whose own id is `me`, may follow.
async fn may(role: Role) -> Vec<&'static str> {
    let world = World::new().await;
    world.happens(&world.booking_of("as-user", json!({ "user_id": "me", "provider_id": "p" }))).await;
    world.happens(&world.booking_of("as-client", json!({ "client_id": "me" }))).await;
    world.happens(&world.booking_of("as-provider", json!({ "provider_id": "me" }))).await;
    world.happens(&world.booking_of("foreign", json!({ "user_id": "other", "provider_id": "p" }))).await;
    world.opens(role, "me", "c1").await.unwrap();
    world.opens(role, "me", "c2").await.unwrap();
    let channels = [
        "tenant",
        "user:me",
        "user:other",
        "provider:me",
        "provider:p",
        "booking:as-user",
        "booking:as-client",
        "booking:as-provider",
        "booking:foreign",
        "booking:unheard-of",
    ];
    let mut allowed = Vec::new();
    for (n, channel) in channels.into_iter().enumerate() {
        let told = world.says(role, "me", if n < 5 { "c1" } else { "c2" }, subscribe(channel, 0)).await;
        match told[0]["type"].as_str() {
            Some("subscribed") => allowed.push(channel),
            _ => assert_eq!(told[0]["code"], "forbidden", "{channel}"),
        }
    }
    allowed
}

#[tokio::test]
async fn an_owner_follows_everything() {
    assert_eq!(may(Role::Owner).await.len(), 10);
    assert_eq!(may(Role::Admin).await.len(), 10);
}

#[tokio::test]
async fn a_supervisor_follows_everything_but_the_whole() {
    let allowed = may(Role::Supervisor).await;
    assert_eq!(allowed.len(), 9);
    assert!(!allowed.contains(&"tenant"));
}

#[tokio::test]
async fn an_agent_follows_what_is_its_own() {
    let own = ["user:me", "provider:me", "booking:as-user", "booking:as-client", "booking:as-provider"];
    assert_eq!(may(Role::Agent).await, own);
}

#[tokio::test]
async fn another_tenants_events_reach_nobody_here() {
    let (ours, table) = {
        let world = World::new().await;
        let table = world.table.clone();
        (world, table)
    };
    let mut theirs = World::on(table);
    theirs.sockets = ours.sockets.clone();
    theirs.bookings("b1", 2).await;
    ours.owner("c1").await;

    let answers = ours.owner_says("c1", subscribe("booking:b1", 0)).await;
    assert_eq!((answers.len(), &answers[0]["head"]), (1, &json!(0)));
    theirs.bookings("b1", 1).await;
    assert!(ours.numbers("c1", "booking:b1").is_empty());
}

#[tokio::test]
async fn the_history_of_a_booking_is_for_whom_the_booking_is() {
    let world = World::new().await;
    world.bookings("b1", 1).await;
    let deps = booking_history::Deps {
        gate: Gate::new(world.table.clone()),
        table: world.table.clone().consistent(),
        vault: vault(),
        stage: "test".into(),
    };
    let ask = async |call: shared::http::Call| told(booking_history::handle(&deps, call.with_part("id", "b1")).await).0;

    assert_eq!(ask(person_with(world.tenant, Role::Supervisor, &[])).await, 200);
    for own in ["u1", "c1", "p1"] {
        assert_eq!(ask(person_with(world.tenant, Role::Agent, &[("sub", own)])).await, 200, "{own}");
    }
    assert_eq!(ask(person_with(world.tenant, Role::Agent, &[("sub", "other")])).await, 404);
    let client = shared::id::ClientId::new().to_string();
    assert_eq!(ask(person_with(world.tenant, Role::Owner, &[("client", &client)])).await, 403);
    assert_eq!(ask(stranger()).await, 404);
    assert_eq!(ask(shared::testing::nobody()).await, 401);
}
