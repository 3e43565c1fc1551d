//! What the table is asked for an event and for each who follows it.

use serde_json::json;
use shared::testing::{Units, table};

use crate::world::{World, subscribe};

#[tokio::test]
async fn what_an_event_and_its_followers_cost() {
    let units = Units::default();
    let world = World::on(table().await.metered(units.meter()));
    world.bookings("b1", 2).await;
    let (first, second) = (world.booking("b1"), world.booking("b1"));
    for event in [&first, &second] {
        shared::event::accept(&world.table, event.clone()).await.unwrap();
    }

    units.take();
    world.follow(&first).await.unwrap();
    let nobody = units.take();
    println!("an event in five channels that nobody follows: {nobody:?}");

    world.owner("c1").await;
    world.owner_says("c1", subscribe("tenant", 3)).await;
    units.take();
    world.follow(&second).await.unwrap();
    let one = units.take();
    println!("with one who follows: {one:?}");
    assert_eq!((one.0 - nobody.0, one.1 - nobody.1), (2.0, 0.0), "a push");

    world.owner_says("c1", json!({ "action": "ping" })).await;
    units.take();
    world.owner_says("c1", json!({ "action": "ping" })).await;
    println!("a ping with one channel: {:?}", units.take());
    world.owner("c2").await;
    println!("a connection: {:?}", units.take());
    world.owner_says("c2", subscribe("tenant", 0)).await;
    println!("a subscription with four events missed: {:?}", units.take());
    world.ends("c2").await;
    println!("the end of a connection: {:?}", units.take());
}
