//! Endpoint 5: activity in, folded by schedule, KPIs out.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

fn conversation(n: u32, minutes_ago: i64, reply_after: i64) -> Vec<Value> {
    let now = jiff::Timestamp::now();
    let at = |minutes: i64| now - jiff::SignedDuration::from_mins(minutes);
    let event = |suffix: &str, kind: &str, minutes: i64, more: Value| {
        let mut event = json!({
            "id": format!("c{n}-{suffix}"), "type": kind, "occurred_at": at(minutes), "channel": "whatsapp",
            "conversation_id": format!("c{n}"),
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    vec![
        event("in", "message.inbound", minutes_ago, json!({ "message_id": format!("in{n}") })),
        event(
            "out",
            "message.outbound",
            minutes_ago - reply_after,
            json!({ "message_id": format!("out{n}"), "author": "agent", "agent_id": "agent-7", "team": "front-desk" }),
        ),
        event(
            "sent",
            "delivery.sent",
            minutes_ago - reply_after,
            json!({ "message_id": format!("out{n}"), "agent_id": "agent-7", "team": "front-desk" }),
        ),
        event("read", "delivery.read", minutes_ago - reply_after, json!({ "message_id": format!("out{n}") })),
    ]
}

#[tokio::test]
async fn activity_becomes_kpis_once_it_is_folded() {
    let world = World::new("kpi").await;
    let owner = world.token("owner").await;
    let mut events: Vec<Value> = (0..10).flat_map(|n| conversation(n, 20, 4)).collect();
    events.push(json!({
        "id": "t1", "type": "ticket.opened", "occurred_at": jiff::Timestamp::now() - jiff::SignedDuration::from_mins(15),
        "channel": "whatsapp", "ticket_id": "T-1", "priority": "high", "agent_id": "agent-7", "team": "front-desk",
    }));

    for (accepted, duplicates) in [(41, 0), (0, 41)] {
        let sent = world.post("/api/v1/activity", &world.api_key, &json!({ "events": events })).await;
        assert_eq!(sent.status, 202, "{}", sent.body);
        assert_eq!(
            (&sent.body["data"]["accepted"], &sent.body["data"]["duplicates"]),
            (&json!(accepted), &json!(duplicates)),
            "{}",
            sent.body
        );
    }
    for kind in ["hourly", "daily", "weekly", "hourly"] {
        let folded = world.get(&format!("/api/cron/aggregate-metrics?type={kind}"), &world.stack.cron_secret).await;
        assert_eq!(folded.status, 200, "{}", folded.body);
        assert_eq!(folded.body["message"], format!("{kind} metrics aggregation completed successfully"));
        assert_eq!((&folded.body["success"], &folded.body["type"]), (&json!(true), &json!(kind)));
    }

    let strip = world.get("/api/dashboard/kpi?range=24h", &owner).await;
    assert_eq!(strip.status, 200, "{}", strip.body);
    let text = strip.body.to_string();
    assert!(text.contains("definition") && text.contains("trend"), "{text}");
    assert_eq!(strip.headers["cache-control"], "private, max-age=30");
    let tag = strip.headers["etag"].to_str().unwrap().to_owned();
    let again = world
        .send(
            world.request(Method::GET, "/api/dashboard/kpi?range=24h").bearer_auth(&owner).header("if-none-match", tag),
        )
        .await;
    assert_eq!(again.status, 304, "cached for 30 seconds, word for word");
}

#[tokio::test]
async fn the_cron_route_opens_to_its_secret_alone() {
    let world = World::new("cron").await;
    let owner = world.token("owner").await;
    for wrong in ["", "nonsense", owner.as_str(), world.api_key.as_str()] {
        assert_eq!(world.get("/api/cron/aggregate-metrics?type=hourly", wrong).await.status, 401);
    }
    assert_eq!(world.get("/api/cron/aggregate-metrics?type=yearly", &world.stack.cron_secret).await.status, 400);
}
