//! What the source has and nobody reported is found, repaired, and told.

use local::standin::{DatabaseHook, Loss, Project, RowChange};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_booking_whose_webhook_was_lost_arrives_all_the_same() {
    let world = World::new("completeness").await;
    let owner = world.token("owner").await;
    world.endpoint(&owner).await;
    let project = world.name.clone();
    let hook = DatabaseHook::to(format!("{}/api/webhooks/booking-events", world.stack.api_url))
        .header("Authorization", &format!("Bearer {}", world.api_key));
    let declared = Project { webhooks: Some(vec![hook]), ..Project::default() };
    world.receiver.set_project(&project, &declared).await.unwrap();
    // Changed long enough ago that no webhook can still be under way.
    let before = (jiff::Timestamp::now() - jiff::SignedDuration::from_mins(5)).to_string();
    let booking = |id: &str| {
        RowChange::insert(
            "bookings",
            json!({ "id": id, "booking_number": "BK-9", "status": "new", "updated_at": before }),
        )
    };
    world.receiver.change_row(&project, booking("live")).await.unwrap();
    world.receiver.lose_webhooks(&project, Loss::All).await.unwrap();
    world.receiver.change_row(&project, booking("lost")).await.unwrap();
    world.settled(&owner, 1).await;

    let source = json!({
        "base_url": world.receiver.supabase_url(&project),
        "key": format!("sb_secret_{project}"),
        "tables": [{ "table": "bookings" }],
        "since": (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1)).to_string(),
    });
    let given = world
        .send(world.request(reqwest::Method::PUT, "/api/v1/completeness/source").bearer_auth(&owner).json(&source))
        .await;
    assert!(given.status < 300, "{}", given.body);
    world.stack.invoke("CompletenessReconcile", &json!({})).await.expect("it reconciles");

    let deliveries = world.settled(&owner, 2).await;
    assert!(deliveries.iter().all(|delivery| delivery["state"] == "delivered"), "{deliveries:?}");
    let bodies: Vec<serde_json::Value> = world
        .receiver
        .requests(&world.hook())
        .await
        .unwrap()
        .iter()
        .map(|sent| serde_json::from_str(sent.body.as_deref().unwrap()).unwrap())
        .collect();
    let origin_of = |id: &str| bodies.iter().find(|body| body["booking_event"]["id"] == id).unwrap()["origin"].clone();
    assert_eq!((origin_of("live"), origin_of("lost")), (json!("live"), json!("reconciled")));

    let told = world.get("/api/v1/completeness", &owner).await;
    assert_eq!(told.status, 200, "{}", told.body);
    assert_eq!(told.body["data"]["totals"]["live"], 1, "{}", told.body);
    assert_eq!(told.body["data"]["totals"]["repaired"], 1, "{}", told.body);
}
