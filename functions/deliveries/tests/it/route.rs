use deliveries::route;
use shared::{boot::Changed, delivery::State, event, key};

use crate::world::World;

#[tokio::test]
async fn an_event_goes_to_every_endpoint_that_wants_it() {
    let world = World::new().await;

    let wanted = world.accept("b1").await;
    let mut unwanted = world.event("b2");
    unwanted.event_type = "automation.executed".into();
    event::accept(&world.table, unwanted.clone()).await.unwrap();
    world.route(&unwanted).await.unwrap();

    assert_eq!(world.delivery().await.event, wanted.id);
    assert_eq!(world.messages(), [world.delivery().await.job()]);
}

#[tokio::test]
async fn a_record_that_comes_twice_makes_one_delivery() {
    let world = World::new().await;
    let event = world.accept("b1").await;

    world.route(&event).await.unwrap();

    let delivery = world.delivery().await;
    assert_eq!(world.messages(), [delivery.job(), delivery.job()], "a message too many does no harm");
}

#[tokio::test]
async fn a_delivery_that_has_begun_is_not_queued_again() {
    let mut world = World::new().await;
    let event = world.accept("b1").await;
    world.run_until(world.now).await;

    world.route(&event).await.unwrap();

    assert_eq!(world.messages(), []);
}

#[tokio::test]
async fn what_goes_to_a_closed_endpoint_is_parked() {
    let world = World::new().await;
    let closed = world.table.change(key::endpoint(world.tenant, world.endpoint));
    closed.set("state", "held").send().await.unwrap();

    world.accept("b1").await;

    assert_eq!(world.delivery().await.state, State::Parked);
    assert_eq!(world.messages(), []);
}

#[tokio::test]
async fn changes_of_other_rows_pass_by() {
    let world = World::new().await;
    let deps = route::Deps { table: world.table.clone(), queue: world.queue.clone() };
    route::handle(&deps, Changed::making(&world.endpoint().await)).await.unwrap();
    assert_eq!(world.deliveries().await.len(), 0);
}
