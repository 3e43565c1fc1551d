//! How many credits there may be: who sets it, and how.

use serde_json::json;
use shared::{gate::Role, testing::stranger};

use crate::world::{World, faults};

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
        json!({ "credits_per_month": 1e300 }),
        json!({ "credits_per_month": [1] }),
        json!([]),
        json!({ "credits_per_month": 1_000_000_001_u64 }),
        json!({ "credits_per_month": 1, "client_id": "a", "client_slug": "b" }),
        json!({ "credits_per_month": 1, "colour": "red" }),
    ] {
        assert_eq!(world.allow_by(seen(world.person(Role::Owner)), &wrong).await.0, 400, "{wrong}");
    }
    let all = json!({ "credits_per_month": -1, "client_id": 7, "client_slug": "b", "colour": "red" });
    let (status, answer) = world.allow_by(seen(world.person(Role::Owner)), &all).await;
    assert_eq!((status, faults(&answer).len()), (400, 3), "{answer}");
    for unknown in [json!("cli_nonsense"), json!(shared::id::ClientId::new())] {
        let body = json!({ "credits_per_month": 1, "client_id": unknown });
        assert_eq!(world.allow_by(seen(world.person(Role::Owner)), &body).await.0, 404);
    }
    let body = json!({ "credits_per_month": 1, "client_id": world.inn });
    assert_eq!(world.allow_by(seen(world.person(Role::Supervisor)), &body).await.0, 403);
    assert_eq!(world.allow_by(seen(world.limited_to(world.inn)), &body).await.0, 403);
    assert_eq!(world.allow_by(seen(stranger()), &body).await.0, 404);
}

#[tokio::test]
async fn each_owner_has_its_own_and_nobody_sees_anothers() {
    let world = World::new().await;
    let whose = [json!({}), json!({ "client_id": world.inn }), json!({ "client_id": "company" })];
    for (n, mut body) in whose.into_iter().enumerate() {
        body["credits_per_month"] = json!(1_000 + n);
        let call = world.person(Role::Owner).with_header("if-match", "\"0\"");
        assert_eq!(world.allow_by(call, &body).await.0, 200, "{body}");
    }
    let of = async |call, query: &str| world.forecast_by(call, query).await.1["data"]["allowance"].clone();
    let credits = async |call, query: &str| of(call, query).await["credits_per_month"].clone();
    let owner = || world.person(Role::Owner);
    assert_eq!(credits(owner(), "").await, json!(1_000.0));
    assert_eq!(credits(owner(), "client_slug=inn").await, json!(1_001.0));
    assert_eq!(credits(owner(), "client_id=company").await, json!(1_002.0));
    assert_eq!(credits(owner(), "client_slug=spa").await, json!(null));
    assert_eq!(credits(world.limited_to(world.inn), "").await, json!(1_001.0));
    assert_eq!(credits(world.limited_to(world.spa), "").await, json!(null));
    assert_eq!(credits(stranger(), "").await, json!(null));
    assert_eq!(of(world.person(Role::Agent), "").await, json!(null));
}
