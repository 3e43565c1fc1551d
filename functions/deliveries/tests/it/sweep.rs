use jiff::SignedDuration;
use shared::delivery::State;

use crate::world::World;

#[tokio::test]
async fn a_lost_message_is_found() {
    let mut world = World::new().await;
    world.accept("b1").await;
    world.messages();

    world.run_for(SignedDuration::from_mins(4)).await;
    assert_eq!(world.delivery().await.state, State::Pending, "somebody may be working on it");
    world.run_for(SignedDuration::from_mins(3)).await;

    assert_eq!(world.delivery().await.state, State::Delivered);
}

#[tokio::test]
async fn two_schedules_at_once_queue_it_once() {
    let mut world = World::new().await;
    for n in 0..30 {
        world.accept(&format!("b{n}")).await;
    }
    world.messages();
    world.now += SignedDuration::from_mins(6);

    let (one, other) = tokio::join!(world.sweep(), world.sweep());

    assert_eq!(one + other, 30);
    assert_eq!(world.messages().len(), 30);
}

#[tokio::test]
async fn what_was_queued_is_left_alone_for_a_while() {
    let mut world = World::new().await;
    world.accept("b1").await;
    world.messages();
    world.now += SignedDuration::from_mins(6);
    assert_eq!(world.sweep().await, 1);
    world.now += SignedDuration::from_mins(14);
    assert_eq!(world.sweep().await, 0);
    world.now += SignedDuration::from_mins(2);
    assert_eq!(world.sweep().await, 1, "its worker was lost too");
}

#[tokio::test]
async fn settled_deliveries_are_not_swept() {
    let mut world = World::new().await;
    world.accept("b1").await;
    world.run_until(world.now).await;
    world.now += SignedDuration::from_hours(24);
    assert_eq!(world.sweep().await, 0);
}
