//! What a look costs: requests to Make.com, and capacity units. The figures stand in the README.

use serde_json::json;
use shared::{
    endpoint,
    testing::{Units, table},
};

use crate::world::{World, ZONE};

#[tokio::test]
async fn a_look_costs_what_the_readme_says() {
    let units = Units::default();
    let mut world = World::on(table().await.metered(units.meter())).await;
    // The least that Make.com allows: each request is paced by a write.
    let organization = world.customer.organization_id;
    world.standin.set_organization(ZONE, organization, json!({ "license": { "apiLimit": 60 } })).await.unwrap();
    units.take();
    world.given().await;
    let given = (world.requests().await.len(), units.take());
    world.look_well().await;
    world.look_well().await;
    world.standin.forget("/*").await.unwrap();
    units.take();

    world.look_well().await;

    assert_eq!((world.requests().await.len(), units.take()), (2, (7.0, 2.0)));
    assert_eq!(given, (4, (11.0, 2.0)));
}

#[tokio::test]
async fn more_endpoints_cost_a_write_each_and_no_more_requests() {
    let units = Units::default();
    let mut world = World::on(table().await.metered(units.meter())).await;
    world.given().await;
    for n in 0..19 {
        world.endpoint_to(&format!("/hook.eu1.make.com/none-{n}"), endpoint::subscriber()).await;
    }
    world.look_well().await;
    world.look_well().await;
    world.standin.forget("/*").await.unwrap();
    units.take();

    world.look_well().await;

    assert_eq!((world.requests().await.len(), units.take()), (2, (24.0, 3.5)));
}
