use dashboard::cron::{self, Deps};
use serde_json::json;
use shared::{
    http::Call,
    key,
    snapshot::Stale,
    tenant::{Tenant, Zone},
    testing::{nobody, told, vault},
};

use crate::desk::{Desk, at, inbound};

fn call(secret: &str, query: &str) -> Call {
    nobody().with_header("authorization", &format!("Bearer {secret}")).with_query(query).at(at(NOW))
}

const NOW: &str = "2026-02-22T10:00:00Z";
const SECRET: &str = "cron-secret-of-a-test";

#[tokio::test]
async fn it_answers_as_the_guide_shows() {
    let desk = Desk::in_zone("UTC").await;
    desk.report(&[inbound("c1", "2026-02-22T09:00:00Z")], "2026-02-22T09:00:01Z").await;
    let deps = Deps { vault: vault(), table: desk.table.clone() };

    for period in ["hourly", "daily", "weekly"] {
        let answer = told(cron::handle(&deps, call(SECRET, &format!("type={period}"))).await);
        assert_eq!(
            answer,
            (
                200,
                json!({
                    "success": true,
                    "type": period,
                    "timestamp": "2026-02-22T10:00:00.000Z",
                    "message": format!("{period} metrics aggregation completed successfully"),
                })
            )
        );
    }
    assert_eq!(desk.strip("", "2026-02-22T10:00:00Z").await["messages_today"]["value"], 1);
}

#[tokio::test]
async fn a_tenant_that_is_ill_does_not_fail_the_call() {
    let (ill, well) = (Desk::in_zone("UTC").await, Desk::in_zone("UTC").await);
    let ill = Desk { table: well.table.clone(), ..ill };
    ill.table
        .put(&Tenant { id: ill.tenant, name: "Ill".into(), time_zone: Zone::UTC, created_at: at(NOW) })
        .await
        .unwrap();
    let week = Stale::Week("2026-02-16".parse().unwrap());
    ill.table.change(key::mark(ill.tenant, week)).set("stale", "nonsense").send().await.unwrap_err();
    let deps = Deps { vault: vault(), table: well.table.clone() };

    let (status, body) = told(cron::handle(&deps, call(SECRET, "type=weekly")).await);

    assert_eq!(status, 200, "{body}");
}

#[tokio::test]
async fn without_the_secret_nobody_gets_in() {
    let desk = Desk::in_zone("UTC").await;
    let deps = Deps { vault: vault(), table: desk.table.clone() };
    for wrong in ["", "x", "cron-secret-of-a-tesu", "cron-secret-of-a-test2"] {
        assert_eq!(told(cron::handle(&deps, call(wrong, "type=hourly")).await).0, 401, "{wrong}");
    }
    assert_eq!(told(cron::handle(&deps, nobody().with_query("type=hourly")).await).0, 401);
}

#[tokio::test]
async fn without_a_secret_of_ours_nobody_is_right() {
    let desk = Desk::in_zone("UTC").await;
    let platform = json!({ "keyring": { "current": "k1", "keys": {} }, "cron_secret": "" });
    let vault = shared::secrets::Vault::given(serde_json::from_value(platform).unwrap());
    let deps = Deps { vault, table: desk.table.clone() };
    assert_eq!(told(cron::handle(&deps, call("", "type=hourly")).await).0, 401);
}

#[tokio::test]
async fn an_unknown_type_is_refused() {
    let desk = Desk::in_zone("UTC").await;
    let deps = Deps { vault: vault(), table: desk.table.clone() };
    for query in ["", "type=", "type=monthly", "type=Hourly", "kind=hourly", "type=hourly&x=1"] {
        assert_eq!(told(cron::handle(&deps, call(SECRET, query)).await).0, 400, "{query}");
    }
}
