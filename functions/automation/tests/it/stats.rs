use automation::{
    deactivate,
    stats::{self, Deps},
};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use shared::{
    automation as runs,
    gate::{Gate, Role},
    http::Call,
    id::EventId,
    key,
    testing::{Units, nobody, person, person_with, stranger, table, told},
};

use crate::{World, from_template};

async fn stats(world: &World, call: Call) -> (u16, Value) {
    let deps = Deps { gate: Gate::new(world.table.clone()), table: world.table.clone() };
    told(stats::handle(&deps, call).await)
}

#[tokio::test]
async fn the_body_is_that_of_the_source_document() {
    let world = World::new().await;
    let busy = world.active(from_template()).await;
    let ended = world.active(from_template()).await;
    world.made(from_template()).await;
    told(deactivate::handle(&world.switch, world.owner().with_part("id", ended.id())).await);
    for n in 0..3 {
        let (_, answer) = world.run(busy.call(&json!({ "n": n }))).await;
        if n == 0 {
            let id: EventId = answer["data"]["executionId"].as_str().unwrap().parse().unwrap();
            let event = world.table.get(key::event(world.tenant, id)).await.unwrap();
            runs::failed(&world.table, &event).await.unwrap();
        }
    }

    let (status, answer) = stats(&world, person(world.tenant, Role::Agent)).await;

    assert_eq!(status, 200);
    assert_json_snapshot!(answer, @r#"
    {
      "data": {
        "active": 1,
        "failedExecutions": 1,
        "inactive": 2,
        "successRate": "66.67",
        "successfulExecutions": 2,
        "total": 3,
        "totalExecutions": 3
      },
      "success": true
    }
    "#);
}

#[tokio::test]
async fn a_stranger_has_none() {
    let world = World::new().await;
    let made = world.active(from_template()).await;
    world.run(made.call(&json!({}))).await;

    let (status, answer) = stats(&world, stranger()).await;

    assert_eq!(status, 200);
    assert_eq!((&answer["data"]["total"], &answer["data"]["totalExecutions"]), (&json!(0), &json!(0)));
    assert_eq!(answer["data"]["successRate"], "0.00");
    assert_eq!(stats(&world, nobody()).await.0, 401);
    let client = shared::id::ClientId::new().to_string();
    assert_eq!(stats(&world, person_with(world.tenant, Role::Owner, &[("client", &client)])).await.0, 403);
}

#[tokio::test]
async fn it_costs_what_the_readme_says() {
    let units = Units::default();
    let world = World::over(table().await.metered(units.meter()));
    for _ in 0..20 {
        let made = world.made(from_template()).await;
        for shard in 0..runs::SHARDS {
            let event = EventId::from_bytes([shard; 16]);
            runs::accepted(&world.table, world.tenant, made.id().parse().unwrap(), event, jiff::Timestamp::now())
                .await
                .unwrap();
        }
    }
    stats(&world, world.owner()).await;
    units.take();

    let (_, answer) = stats(&world, world.owner()).await;

    let (_, read) = units.take();
    assert_eq!(answer["data"]["totalExecutions"], 80);
    assert!(read <= 6.0, "{read} RCU");
}
