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
    assert_eq!(units.take(), (13.0, 9.0), "an event in five channels that nobody follows");

    world.owner("c1").await;
    world.owner_says("c1", subscribe("tenant", 3)).await;
    units.take();
    world.follow(&second).await.unwrap();
    assert_eq!(units.take(), (15.0, 9.0), "with one who follows: a push is two more");

    world.owner_says("c1", json!({ "action": "ping" })).await;
    units.take();
    world.owner_says("c1", json!({ "action": "ping" })).await;
    assert_eq!(units.take(), (3.0, 3.0), "a ping with one channel");
    world.owner("c2").await;
    assert_eq!(units.take(), (5.0, 1.0), "a connection");
    world.owner_says("c2", subscribe("tenant", 0)).await;
    assert_eq!(units.take(), (10.0, 8.0), "a subscription with four events missed");
    world.ends("c2").await;
    assert_eq!(units.take(), (4.0, 2.0), "the end of a connection");
}
