//! What a delivery costs: 6 write units and 2 read units at most, from the stored event to the logged success, as the table of
//! costs in `README.md` says.

use shared::{
    event,
    testing::{Units, table},
};

use crate::world::World;

#[tokio::test]
async fn one_successful_delivery_costs_no_more_than_it_may() {
    let units = Units::default();
    let mut world = World::on(table().await.metered(units.meter())).await;
    // The first delivery also leases the pace; the second is the rule.
    world.accept("warm").await;
    world.run_until(world.now).await;
    units.take();

    let event = world.event("b1");
    event::accept(&world.table, event.clone()).await.unwrap();
    let (accept, _) = units.take();
    event::accept(&world.table, event.clone()).await.unwrap();
    let (duplicate, _) = units.take();
    world.route(&event).await.unwrap();
    world.run_until(world.now).await;
    let (writes, reads) = units.take();

    assert!(accept <= 2.0, "accepting took {accept} write units");
    assert!(duplicate <= accept, "a duplicate took {duplicate}");
    assert!(writes <= 6.0 && reads <= 2.0, "delivering took {writes} write and {reads} read units");
}
