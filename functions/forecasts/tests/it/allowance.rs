//! How many credits there may be: who sets it, and how.

use serde_json::json;
use shared::{gate::Role, testing::stranger};

use crate::world::World;

#[tokio::test]
async fn it_is_set_by_whoever_has_seen_it() {
    let world = World::new().await;
    let body = json!({ "credits_per_month": 10_000 });
    let owner = || world.person(Role::Owner);
    assert_eq!(world.allow_by(owner(), &body).await.0, 428);
    assert_eq!(world.allow_by(owner().with_header("if-match", "\"1\""), &body).await.0, 412);
    let set = || world.allow_by(owner().with_header("if-match", "\"0\""), &body);
    let (one, other) = tokio::join!(set(), set());
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "of two at once one has seen what is there");
    assert_eq!(world.forecast("").await["allowance"]["credits_per_month"], json!(10_000.0));
}

#[tokio::test]
async fn nonsense_is_refused_and_so_is_everybody_but_an_owner() {
    let world = World::new().await;
    let seen = |call: shared::http::Call| call.with_header("if-match", "*");
    for wrong in [
        json!({}),
        json!({ "credits_per_month": -1 }),
        json!({ "credits_per_month": 0.001 }),
        json!({ "credits_per_month": "many" }),
        json!({ "credits_per_month": 1_000_000_001_u64 }),
        json!({ "credits_per_month": 1, "client_id": "a", "client_slug": "b" }),
        json!({ "credits_per_month": 1, "colour": "red" }),
    ] {
        assert_eq!(world.allow_by(seen(world.person(Role::Owner)), &wrong).await.0, 400, "{wrong}");
    }
    let body = json!({ "credits_per_month": 1, "client_id": world.inn });
    assert_eq!(world.allow_by(seen(world.person(Role::Supervisor)), &body).await.0, 403);
    assert_eq!(world.allow_by(seen(world.limited_to(world.inn)), &body).await.0, 403);
    assert_eq!(world.allow_by(seen(stranger()), &body).await.0, 404);
}
