use deliveries::{bury, retry};
use shared::{
    delivery::State,
    gate::{Gate, Role},
    key,
    testing::{person, told},
};

use crate::world::World;

#[tokio::test]
async fn what_kills_its_worker_is_marked_told_and_can_be_started_again() {
    let mut world = World::new().await;
    let event = world.accept("b1").await;
    world.table.delete(key::event(world.tenant, event.id)).await.unwrap();
    let job = world.messages().remove(0);
    let letter = serde_json::to_value(&job).unwrap();
    world.work(job).await.expect_err("it cannot be worked on");

    bury::handle(&world.table, letter.clone()).await.unwrap();
    bury::handle(&world.table, letter).await.unwrap();

    let delivery = world.delivery().await;
    assert_eq!(delivery.state, State::Dead);
    assert_eq!(world.notices().await, ["delivery_dead"], "once, though its letter came twice");

    world.table.put(&event).await.unwrap();
    let deps =
        retry::Deps { gate: Gate::new(world.table.clone()), table: world.table.clone(), queue: world.queue.clone() };
    let call = person(world.tenant, Role::Owner).with_part("id", delivery.id);
    let (status, body) = told(retry::handle(&deps, call).await);
    assert_eq!(status, 202, "{body}");
    world.run_until(world.now).await;
    assert_eq!(world.delivery().await.state, State::Delivered);
}

#[tokio::test]
async fn a_letter_that_is_no_job_is_not_read_for_ever() {
    let world = World::new().await;
    bury::handle(&world.table, serde_json::json!({ "job": "unheard" })).await.unwrap();
    assert_eq!(world.notices().await.len(), 0);
}
