use deliveries::{get, list, retry};
use jiff::SignedDuration;
use local::standin::Fault;
use serde_json::Value;
use shared::{
    gate::{Gate, Role},
    http::Call,
    testing::{nobody, person, stranger, told, vault},
};

use crate::world::{HOOK, World};

async fn listed(world: &World, call: Call) -> (u16, Value) {
    let deps = list::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone(), vault: vault() };
    told(list::handle(&deps, call).await)
}

async fn got(world: &World, call: Call) -> (u16, Value) {
    let deps = get::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone() };
    told(get::handle(&deps, call).await)
}

async fn retried(world: &World, call: Call) -> (u16, Value) {
    let deps =
        retry::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone(), queue: world.queue.clone() };
    told(retry::handle(&deps, call).await)
}

#[tokio::test]
async fn pages_are_newest_first_and_complete() {
    let mut world = World::new().await;
    for n in 0..7 {
        world.accept(&format!("b{n}")).await;
        world.now += SignedDuration::from_secs(1);
    }
    let owner = || person(world.tenant, Role::Supervisor);

    let mut ids = Vec::new();
    let mut query = "limit=3".to_owned();
    loop {
        let (status, page) = listed(&world, owner().with_query(&query)).await;
        assert_eq!(status, 200, "{page}");
        ids.extend(page["data"]["deliveries"].as_array().unwrap().iter().map(|one| one["id"].to_string()));
        match page["data"]["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=3&cursor={cursor}"),
            None => break,
        }
    }

    assert_eq!(ids.len(), 7);
    assert!(ids.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_alone() {
    let world = World::new().await;
    for n in 0..3 {
        world.accept(&format!("b{n}")).await;
    }
    let (_, page) = listed(&world, person(world.tenant, Role::Owner).with_query("limit=1")).await;
    let cursor = page["data"]["next_cursor"].as_str().unwrap();
    let with = |more: &str| format!("limit=1&cursor={cursor}{more}");

    assert_eq!(listed(&world, person(world.tenant, Role::Owner).with_query(&with("&state=failed"))).await.0, 400);
    assert_eq!(listed(&world, stranger().with_query(&with(""))).await.0, 400);
    assert_eq!(listed(&world, person(world.tenant, Role::Owner).with_query("cursor=bm9uc2Vuc2U")).await.0, 400);
    let later = person(world.tenant, Role::Owner).with_query(&with("")).at(world.now + SignedDuration::from_hours(25));
    assert_eq!(listed(&world, later).await.0, 400);
}

#[tokio::test]
async fn filters_leave_the_rest_out() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(404)]).await.unwrap();
    world.accept("b1").await;
    world.run_until(world.now).await;
    world.accept("b2").await;
    world.run_until(world.now).await;

    let (_, failed) = listed(&world, person(world.tenant, Role::Owner).with_query("state=failed")).await;
    let (_, other) = listed(&world, person(world.tenant, Role::Owner).with_query("event_type=booking.created")).await;

    assert_eq!(failed["data"]["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(failed["data"]["deliveries"][0]["last_result"], "HTTP 404");
    assert_eq!(other["data"]["deliveries"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn all_faults_of_a_query_are_told_at_once() {
    let world = World::new().await;
    let (status, problem) =
        listed(&world, person(world.tenant, Role::Owner).with_query("state=lost&limit=many&endpoint=end_1&colour=red"))
            .await;
    assert_eq!(status, 400);
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["?limit", "?state", "?endpoint", "?colour"]);
    for limit in [0, 101] {
        let query = format!("limit={limit}&state=lost");
        let (_, problem) = listed(&world, person(world.tenant, Role::Owner).with_query(&query)).await;
        assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
    }
}

#[tokio::test]
async fn one_delivery_shows_its_attempts() {
    let mut world = World::new().await;
    world.receiver.fail_next(HOOK, [Fault::status(500).body("oops")]).await.unwrap();
    world.accept("b1").await;
    world.run_for(SignedDuration::from_mins(1)).await;
    let id = world.delivery().await.id;

    let (status, body) = got(&world, person(world.tenant, Role::Supervisor).with_part("id", id)).await;

    assert_eq!(status, 200, "{body}");
    let log = &body["data"]["log"];
    assert_eq!((log[0]["status"].as_u64(), log[0]["answer"].as_str()), (Some(500), Some("oops")));
    assert_eq!((&log[1]["verdict"], &log[1]["trigger"]), (&"delivered".into(), &"schedule".into()));
    assert_eq!((&body["data"]["replay"], &body["data"]["reason"]), (&false.into(), &Value::Null));
    assert_eq!(body["data"]["state"], "delivered");
}

#[tokio::test]
async fn strangers_learn_nothing_and_agents_are_told_to_ask() {
    let world = World::new().await;
    world.accept("b1").await;
    let id = world.delivery().await.id;

    assert_eq!(got(&world, stranger().with_part("id", id)).await.0, 404);
    assert_eq!(retried(&world, stranger().with_part("id", id)).await.0, 404);
    assert_eq!(got(&world, nobody().with_part("id", id)).await.0, 401);
    assert_eq!(got(&world, person(world.tenant, Role::Agent).with_part("id", id)).await.0, 403);
    assert_eq!(retried(&world, person(world.tenant, Role::Supervisor).with_part("id", id)).await.0, 403);
    assert_eq!(got(&world, person(world.tenant, Role::Owner).with_part("id", "dlv_nonsense")).await.0, 404);
    let (_, listed) = listed(&world, stranger()).await;
    assert_eq!(listed["data"]["deliveries"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn only_what_has_failed_is_started_again() {
    let mut world = World::new().await;
    world.accept("b1").await;
    let id = world.delivery().await.id;
    let owner = || person(world.tenant, Role::Owner).with_part("id", id);
    assert_eq!(retried(&world, owner()).await.0, 409);
    world.receiver.fail_next(HOOK, [Fault::status(403)]).await.unwrap();
    world.run_until(world.now).await;

    let again = || person(world.tenant, Role::Owner).with_part("id", id).with_header("idempotency-key", "k");
    let (first, second) = (retried(&world, again()).await, retried(&world, again()).await);

    assert_eq!((first.0, second.0), (202, 202));
    assert_eq!(first.1, second.1, "the same answer, though it would be 409 by now");
    world.run_until(world.now).await;
    assert_eq!(world.received().await, 2);
}
