//! What Make.com says of its own webhooks changes what is sent there.

use std::{pin::pin, time::Duration};

use futures::future::{Either, select};
use local::standin::MakeOrder;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

const ZONE: &str = "eu1.make.com";

#[tokio::test]
async fn nothing_is_sent_to_a_scenario_that_is_off_and_all_of_it_when_it_is_on() {
    let world = World::new("receiver").await;
    let owner = world.token("owner").await;
    let account = world.receiver.make_account(ZONE, &MakeOrder::for_hook(&world.name)).await.unwrap();
    assert_eq!(account.hook_path, world.hook());
    let (endpoint, _) = world.endpoint(&owner).await;
    let off = json!({ "isActive": false });
    world.receiver.set_scenario(ZONE, account.scenario_id, off).await.unwrap();
    let given = json!({ "zone": ZONE, "token": account.token, "team_id": account.team_id });
    let give = async |etag: Option<&str>| {
        let put = world.request(Method::PUT, "/api/v1/make/account").bearer_auth(&owner).json(&given);
        let put = world.send(etag.iter().fold(put, |put, etag| put.header("If-Match", *etag))).await;
        assert!(put.status < 300, "{}", put.body);
        put.body["data"]["etag"].as_str().expect("its version").to_owned()
    };
    let etag = give(None).await;

    look_until(&world, &owner, &endpoint, "held").await;
    world.book("b1").await;
    assert_eq!(world.settled(&owner, 1).await[0]["state"], "parked");
    let health = world.get("/api/webhooks/booking-events", &world.api_key).await;
    assert!(health.body.to_string().contains("scenario_off"), "{}", health.body);

    let on = json!({ "isActive": true });
    world.receiver.set_scenario(ZONE, account.scenario_id, on).await.unwrap();
    // Given again, it is due at once.
    give(Some(&etag)).await;
    look_until(&world, &owner, &endpoint, "active").await;
    world.receiver.wait_for(&world.hook(), 1).await.unwrap();
    assert_eq!(world.settled(&owner, 1).await[0]["state"], "delivered");
}

/// Has the accounts looked at, until the endpoint is in that state. The account is due: the look is this one, or one of the
/// schedule at the same moment.
async fn look_until(world: &World, owner: &str, endpoint: &str, state: &str) {
    let nothing = json!({});
    let look = pin!(world.stack.invoke("ReceiverWatch", &nothing));
    let seen = pin!(async {
        let mut shown = Value::Null;
        for _ in 0..90 {
            shown = world.get(&format!("/api/v1/endpoints/{endpoint}"), owner).await.body;
            if shown["data"]["state"] == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the endpoint did not become {state}: {shown}");
    });
    // The run stays where it is to look again soon. What it has done is seen before.
    if let Either::Left((looked, seen)) = select(look, seen).await {
        looked.expect("it looks");
        seen.await;
    }
}
