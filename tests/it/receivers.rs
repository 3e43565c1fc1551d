//! What Make.com says of its own webhooks changes what is sent there.

use local::standin::MakeOrder;
use reqwest::Method;
use serde_json::json;

use crate::world::World;

const ZONE: &str = "eu1.make.com";

#[tokio::test]
async fn nothing_is_sent_to_a_scenario_that_is_off_and_all_of_it_when_it_is_on() {
    let world = World::new("receiver").await;
    let owner = world.token("owner").await;
    let account = world.receiver.make_account(ZONE, &MakeOrder::for_hook(&world.name)).await.unwrap();
    assert_eq!(account.hook_path, world.hook());
    let (endpoint, _) = world.endpoint(&owner).await;
    let given = json!({ "zone": ZONE, "token": account.token, "team_id": account.team_id });
    let put = world.send(world.request(Method::PUT, "/api/v1/make/account").bearer_auth(&owner).json(&given)).await;
    assert!(put.status < 300, "{}", put.body);
    let off = json!({ "isActive": false });
    world.receiver.set_scenario(ZONE, account.scenario_id, off).await.unwrap();
    let look = async || world.stack.invoke("ReceiverWatch", &json!({})).await.expect("it looks");

    wait_until(&world, &owner, &endpoint, "held", &look).await;
    world.book("b1").await;
    assert_eq!(world.settled(&owner, 1).await[0]["state"], "parked");
    let health = world.get("/api/webhooks/booking-events", &world.api_key).await;
    assert!(health.body.to_string().contains("scenario_off"), "{}", health.body);

    let on = json!({ "isActive": true });
    world.receiver.set_scenario(ZONE, account.scenario_id, on).await.unwrap();
    wait_until(&world, &owner, &endpoint, "active", &look).await;
    world.receiver.wait_for(&world.hook(), 1).await.unwrap();
    assert_eq!(world.settled(&owner, 1).await[0]["state"], "delivered");
}

/// Looks again and again until the endpoint is in that state: a source is looked at no more often than its lease says.
async fn wait_until(
    world: &World,
    owner: &str,
    endpoint: &str,
    state: &str,
    look: &impl AsyncFn() -> serde_json::Value,
) {
    let mut shown = serde_json::Value::Null;
    for _ in 0..150 {
        look().await;
        shown = world.get(&format!("/api/v1/endpoints/{endpoint}"), owner).await.body;
        if shown["data"]["state"] == state {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    panic!("the endpoint did not become {state}: {shown}");
}
