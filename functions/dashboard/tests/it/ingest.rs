use dashboard::ingest;
use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::{
    activity::{Kind, track},
    apikey::{ApiKey, Scope},
    key,
    testing::{Units, machine, nobody, told},
};

use crate::desk::{Desk, at, event, inbound, reply};

const NOW: &str = "2026-11-21T10:00:00Z";

async fn stored(desk: &Desk, conversation: &str) -> usize {
    let track = track(Kind::Conversation, conversation);
    desk.table.list_all(&key::activities(desk.tenant, track, None)).await.unwrap().len()
}

#[tokio::test]
async fn a_batch_is_stored_once_however_often_it_comes() {
    let desk = Desk::in_zone("UTC").await;
    let batch = [inbound("c1", "2026-11-21T09:00:00Z"), reply("c1", "2026-11-21T09:01:00Z", "ana")];

    let first = desk.post(&batch, NOW).await;
    let again = desk.post(&batch, NOW).await;

    assert_eq!(first, (202, json!({ "success": true, "data": { "accepted": 2, "duplicates": 0 } })));
    assert_eq!(again, (202, json!({ "success": true, "data": { "accepted": 0, "duplicates": 2 } })));
    assert_eq!(stored(&desk, "c1").await, 2);
}

#[tokio::test]
async fn the_same_event_five_times_at_once_is_accepted_by_one() {
    let desk = Desk::in_zone("UTC").await;
    let batch = [inbound("c1", "2026-11-21T09:00:00Z")];

    let all = futures::future::join_all((0..5).map(|_| desk.post(&batch, NOW))).await;

    assert!(all.iter().all(|(status, _)| *status == 202));
    assert_eq!(all.iter().map(|(_, body)| body["data"]["accepted"].as_u64().unwrap()).sum::<u64>(), 1);
    assert_eq!(stored(&desk, "c1").await, 1);
}

#[tokio::test]
async fn the_same_event_twice_in_one_batch_is_a_duplicate() {
    let desk = Desk::in_zone("UTC").await;
    let event = inbound("c1", "2026-11-21T09:00:00Z");
    let (_, body) = desk.post(&[event.clone(), event], NOW).await;
    assert_eq!(body["data"], json!({ "accepted": 1, "duplicates": 1 }));
}

#[tokio::test]
async fn all_faults_are_told_at_once_and_nothing_is_stored() {
    let desk = Desk::in_zone("UTC").await;
    let batch = [
        inbound("c1", "2026-11-21T09:00:00Z"),
        json!({ "id": "", "type": "message.inbound", "occurred_at": "yesterday", "channel": "pigeon", "conversation_id": "c1", "moon": 1 }),
        json!({ "id": "2", "type": "message.outbound", "occurred_at": "2026-11-21T09:00:00Z", "channel": "sms", "conversation_id": "c1" }),
        json!({ "id": "3", "type": "delivery.read", "occurred_at": "2026-11-21T10:06:00Z", "channel": "sms", "message_id": null }),
        json!({ "id": "4", "type": "ticket.opened", "occurred_at": "2024-11-21T10:06:00Z", "channel": "sms", "priority": "huge" }),
        json!("hello"),
        json!({ "id": "5", "type": "message.outbound", "author": "agent", "occurred_at": "2026-11-21T09:00:00Z", "channel": "sms", "conversation_id": "c1" }),
    ];

    let (status, body) = desk.post(&batch, NOW).await;

    assert_eq!(status, 400);
    let pointers: Vec<&str> =
        body["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        pointers,
        [
            "/events/1/id",
            "/events/1/occurred_at",
            "/events/1/channel",
            "/events/1/moon",
            "/events/2/author",
            "/events/3/occurred_at",
            "/events/4/occurred_at",
            "/events/4/priority",
            "/events/5",
            "/events/6/agent_id",
        ]
    );
    assert_eq!(stored(&desk, "c1").await, 0);
}

#[tokio::test]
async fn what_an_event_is_about_has_to_be_named() {
    let desk = Desk::in_zone("UTC").await;
    for (what, field) in [
        ("conversation.opened", "conversation_id"),
        ("delivery.sent", "message_id"),
        ("ticket.updated", "ticket_id"),
        ("lead.created", "lead_id"),
        ("campaign.converted", "campaign_id"),
        ("agent.status_changed", "agent_id"),
        ("session.status_changed", "session_id"),
        ("queue.measured", "queue_id"),
    ] {
        let event = json!({ "id": "1", "type": what, "occurred_at": NOW, "channel": "whatsapp" });
        let (status, body) = desk.post(&[event], NOW).await;
        assert_eq!((status, &body["errors"][0]["pointer"]), (400, &json!(format!("/events/0/{field}"))), "{what}");
    }
}

#[tokio::test]
async fn nonsense_is_refused_and_never_a_failure_of_ours() {
    let desk = Desk::in_zone("UTC").await;
    let many: Vec<Value> = (0..501).map(|_| Value::Null).collect();
    for (body, expected) in [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("null", 400),
        ("{}", 400),
        (r#"{"events":null}"#, 400),
        (r#"{"events":[]}"#, 400),
        (r#"{"events":{}}"#, 400),
        (r#"{"events":[null]}"#, 400),
        (r#"{"events":[[]]}"#, 400),
        (r#"{"events":[{}],"more":1}"#, 400),
        (r#"{"events":[{"id":1,"type":2,"occurred_at":3,"channel":4,"depth":-1,"cost_usd":"-1"}]}"#, 400),
        (&json!({ "events": many }).to_string(), 400),
        (&"x".repeat(1024 * 1024), 413),
    ] {
        let call = machine(&desk.key).posting_bytes(body.to_owned());
        let (status, answer) = told(ingest::handle(&desk.ingest, call).await);
        assert_eq!(status, expected, "{}: {answer}", &body[..body.len().min(80)]);
    }
}

#[tokio::test]
async fn strangers_get_nowhere() {
    let desk = Desk::in_zone("UTC").await;
    let (other, shown) = ApiKey::issue(desk.tenant, "other".into(), vec![Scope::BookingEvents], at(NOW), None);
    desk.table.put(&other).await.unwrap();

    let without = ingest::handle(&desk.ingest, nobody().posting(&json!({}))).await;
    let wrong = ingest::handle(&desk.ingest, machine(&"cdk_x".to_owned().into()).posting(&json!({}))).await;
    let of_another_scope = ingest::handle(&desk.ingest, machine(&shown).posting(&json!({})).at(at(NOW))).await;

    assert_eq!([without, wrong, of_another_scope].map(|outcome| told(outcome).0), [401, 401, 403]);
}

#[tokio::test]
async fn the_same_idempotency_key_gets_the_same_answer() {
    let desk = Desk::in_zone("UTC").await;
    // An answer is kept for a day of real time.
    let now = jiff::Timestamp::now();
    let time = (now - SignedDuration::from_hours(1)).to_string();
    let call = |conversation: &str| {
        machine(&desk.key)
            .posting(&json!({ "events": [inbound(conversation, &time)] }))
            .with_header("idempotency-key", "k1")
            .at(now)
    };

    let first = told(ingest::handle(&desk.ingest, call("c1")).await);
    let again = told(ingest::handle(&desk.ingest, call("c1")).await);
    let other = told(ingest::handle(&desk.ingest, call("c2")).await);

    assert_eq!((first.0, &first.1), (again.0, &again.1));
    assert_eq!(other.0, 422);
}

#[tokio::test]
async fn an_event_costs_at_most_two_writes_and_a_duplicate_no_more() {
    let units = Units::default();
    let desk = Desk::at_table(shared::testing::table().await.metered(units.meter()), "UTC").await;
    let batch: Vec<Value> = (0..100)
        .map(|n| inbound(&format!("c{}", n % 20), &format!("2026-11-21T09:{:02}:{:02}Z", n / 60, n % 60)))
        .collect();
    desk.report(&[inbound("c0", "2026-11-21T08:00:00Z")], NOW).await;
    units.take();

    desk.report(&batch, NOW).await;
    let (first, _) = units.take();
    desk.report(&batch, NOW).await;
    let (again, _) = units.take();

    assert!(first <= 1.25 * 100.0 + 1.0, "{first}");
    assert!(again <= first, "{again}");
}

#[tokio::test]
async fn the_sample_event_is_a_good_batch() {
    let desk = Desk::in_zone("UTC").await;
    let sample: Value = serde_json::from_str(include_str!("../../../../events/activity-ingest.json")).unwrap();
    let body = sample["body"].as_str().unwrap().to_owned();

    let call = machine(&desk.key).posting_bytes(body).at(at("2026-11-20T10:00:00Z"));

    assert_eq!(told(ingest::handle(&desk.ingest, call).await).0, 202);
}

#[tokio::test]
async fn an_agent_and_a_team_have_names_of_at_most_64_bytes() {
    let desk = Desk::in_zone("UTC").await;
    let named = |agent: &str, team: &str| {
        let more = json!({ "conversation_id": "c1", "agent_id": agent, "team": team });
        event("conversation.assigned", "2026-11-21T09:00:00Z", more)
    };
    let (longest, longer) = ("é".repeat(32), "é".repeat(33));

    assert_eq!(desk.post(&[named(&longest, &longest)], NOW).await.0, 202);
    let (status, body) = desk.post(&[named(&longer, &longer)], NOW).await;

    let pointers: Vec<&Value> = body["errors"].as_array().unwrap().iter().map(|fault| &fault["pointer"]).collect();
    assert_eq!((status, pointers), (400, vec![&json!("/events/0/agent_id"), &json!("/events/0/team")]));
}

#[tokio::test]
async fn every_event_of_a_batch_counts_against_the_limit() {
    let desk = Desk::in_zone("UTC").await;
    let batch = |n: usize| -> Vec<Value> {
        (0..500).map(|event| inbound(&format!("c{n}-{event}"), "2026-11-21T09:00:00Z")).collect()
    };
    let mut taken = 0;
    let refused = loop {
        let call = machine(&desk.key).posting(&json!({ "events": batch(taken) })).at(at(NOW));
        match ingest::handle(&desk.ingest, call).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken <= 24, "12,000 events are enough");
    };

    assert!(matches!(refused, shared::Error::TooMany { retry_after: 1..=3 }), "{refused:?}");
    assert_eq!(taken, 24, "as many as the limit says");
    assert_eq!(stored(&desk, &format!("c{taken}-0")).await, 0, "nothing of the batch that was too much");
    assert_eq!(desk.post(&batch(taken), "2026-11-21T10:00:05Z").await.0, 202, "a little later it passes");
}
