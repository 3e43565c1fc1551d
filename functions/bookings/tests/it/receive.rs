use bookings::receive::{self, Deps};
use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::{
    apikey::{ApiKey, Scope},
    event::{Content, Event},
    gate::{Gate, Role},
    http::Call,
    id::TenantId,
    key,
    table::Table,
    testing::{api_key, machine, nobody, person, table, told},
};

struct World {
    table: Table,
    tenant: TenantId,
    key: secrecy::SecretString,
    deps: Deps,
}

impl World {
    async fn new() -> Self {
        let (table, tenant) = (table().await, TenantId::new());
        Self {
            key: api_key(&table, tenant).await,
            deps: Deps { gate: Gate::new(table.clone()), table: table.clone() },
            table,
            tenant,
        }
    }

    fn call(&self) -> Call {
        machine(&self.key)
    }

    async fn post(&self, body: &Value) -> (u16, Value) {
        self.send(self.call().posting(body)).await
    }

    async fn send(&self, call: Call) -> (u16, Value) {
        told(receive::handle(&self.deps, call).await)
    }

    async fn event(&self, answer: &Value) -> Event {
        let id = answer["event_id"].as_str().unwrap().parse().unwrap();
        self.table.get(key::event(self.tenant, id)).await.unwrap()
    }
}

fn update(id: &str) -> Value {
    json!({
        "type": "UPDATE", "table": "bookings", "schema": "public",
        "record": { "id": id, "status": "confirmed", "updated_at": "2026-11-21T10:00:00+00:00" },
        "old_record": { "id": id, "status": "pending", "updated_at": "2026-11-20T10:00:00+00:00" },
    })
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_change_is_stored_as_it_came() {
    let world = World::new().await;
    let body = r#"{"type": "INSERT", "table": "bookings", "record": {"id": 7, "total_price": 120.5000000000000000001, "note": null}, "schema": "public", "old_record": null, "user_id": null}"#;

    let (status, answer) = world.send(world.call().posting_bytes(body)).await;

    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["data"]["duplicate"], false);
    let event = world.event(&answer["data"]).await;
    assert_eq!(event.event_type, "booking.created");
    let Content::Booking { record: Some(record), old_record: None, .. } = event.content else { panic!("{event:?}") };
    assert!(record.contains("120.5000000000000000001"), "{record}");
}

#[tokio::test]
async fn the_same_change_five_times_at_once_is_stored_once() {
    let world = World::new().await;
    let body = update("b1");

    let answers =
        tokio::join!(world.post(&body), world.post(&body), world.post(&body), world.post(&body), world.post(&body));

    let all = [answers.0, answers.1, answers.2, answers.3, answers.4];
    assert!(all.iter().all(|(status, _)| *status == 202), "{all:?}");
    assert_eq!(all.iter().filter(|(_, answer)| answer["data"]["duplicate"] == false).count(), 1);
    assert!(all.iter().all(|(_, answer)| answer["data"]["event_id"] == all[0].1["data"]["event_id"]));
    assert!(all.iter().all(|(_, answer)| answer["data"]["trace_id"] == all[0].1["data"]["trace_id"]), "one story");
}

#[tokio::test]
async fn a_change_is_known_however_it_is_written() {
    let world = World::new().await;
    let by_trigger = r#"{"type": "UPDATE", "table": "bookings", "record": {"id": "b1", "total_price": 120.50, "tags": {"b": 1, "a": [1, 2]}, "updated_at": "2026-11-21T10:00:00+00:00"}, "schema": "public", "old_record": {"id": "b1", "updated_at": "2026-11-20T10:00:00+00:00"}}"#;
    let by_back_end = r#"{"schema":"public","old_record":{"updated_at":"2026-11-20T10:00:00+00:00","id":"b1"},"record":{"updated_at":"2026-11-21T10:00:00+00:00","tags":{"a":[1,2],"b":1},"total_price":120.50,"id":"b1"},"table":"bookings","type":"UPDATE"}"#;
    let another = by_back_end.replace("120.50", "120.51");

    let (_, first) = world.send(world.call().posting_bytes(by_trigger)).await;
    let (_, again) = world.send(world.call().posting_bytes(by_back_end)).await;
    let (_, other) = world.send(world.call().posting_bytes(another)).await;

    assert_eq!((&first["data"]["duplicate"], &again["data"]["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!(other["data"]["duplicate"], false);
}

#[tokio::test]
async fn changes_of_one_transaction_are_several() {
    let world = World::new().await;
    let at = |status: &str, time: &str| json!({ "id": "b1", "status": status, "updated_at": time });
    let change =
        |from: Value, to: Value| json!({ "type": "UPDATE", "table": "bookings", "record": to, "old_record": from });
    let (before, now) = ("2026-11-20T10:00:00+00:00", "2026-11-21T10:00:00.123456+00:00");

    let (_, answer) = world
        .post(&json!([
            change(at("pending", before), at("confirmed", now)),
            change(at("confirmed", now), at("paid", now)),
            change(at("paid", now), at("confirmed", now)),
        ]))
        .await;

    assert_eq!(answer["data"]["accepted"], 3, "{answer}");
}

#[tokio::test]
async fn clients_and_providers_are_taken_as_events_of_their_own() {
    let world = World::new().await;
    let change = |table: &str, id: Value| json!({ "type": "UPDATE", "table": table, "record": { "id": id, "name": "Ana" }, "old_record": null });

    let (status, answer) = world.post(&json!([change("clients", json!("c1")), change("providers", json!(7))])).await;

    assert_eq!(status, 202, "{answer}");
    let events = answer["data"]["events"].as_array().unwrap();
    assert_eq!(world.event(&events[0]).await.event_type, "client.updated");
    assert_eq!(world.event(&events[1]).await.event_type, "provider.updated");

    let deleted = json!({ "type": "DELETE", "table": "providers", "record": null, "old_record": { "name": "Bo" } });
    let nameless = json!([change("clients", json!(null)), change("clients", json!("c".repeat(201))), deleted]);
    let (status, problem) = world.post(&nameless).await;
    assert_eq!(status, 400);
    assert_eq!(pointers(&problem), ["/0/record/id", "/1/record/id", "/2/old_record/id"]);
}

#[tokio::test]
async fn an_update_without_a_version_counts_again_after_a_while() {
    let world = World::new().await;
    let body = json!({ "type": "UPDATE", "table": "bookings", "record": { "id": "b1", "status": "a" }, "old_record": { "id": "b1", "status": "b" } });
    let post = |minutes| {
        let call = world.call().posting(&body);
        let at = call.now + SignedDuration::from_mins(minutes);
        world.send(call.at(at))
    };

    let (first, later) = (post(0).await, post(11).await);

    assert_eq!((first.0, later.0), (202, 202));
    assert_ne!(first.1["data"]["event_id"], later.1["data"]["event_id"], "the booking went there and back again");
}

#[tokio::test]
async fn an_array_is_taken_whole_in_its_order() {
    let world = World::new().await;
    let deleted = json!({ "type": "DELETE", "table": "booking_events", "schema": "public", "record": null, "old_record": { "id": "e1" } });

    let (status, answer) = world.post(&json!([update("b1"), update("b2"), update("b1"), deleted])).await;

    assert_eq!(status, 202, "{answer}");
    let data = &answer["data"];
    assert_eq!((data["accepted"].as_u64(), data["duplicates"].as_u64()), (Some(3), Some(1)));
    assert_eq!(world.event(&data["events"][3]).await.event_type, "booking_event.deleted");
    assert_eq!(data["events"][0]["event_id"], data["events"][2]["event_id"]);
}

#[tokio::test]
async fn one_bad_change_and_none_is_stored() {
    let world = World::new().await;
    let bad = json!({ "type": "TRUNCATE", "table": "users", "schema": 7, "record": [], "old_record": "x" });

    let (status, problem) = world.post(&json!([update("b1"), bad, 5, { "type": "INSERT", "table": "bookings" }])).await;

    assert_eq!(status, 400);
    assert_eq!(
        pointers(&problem),
        ["/1/type", "/1/table", "/1/schema", "/1/record", "/1/old_record", "/2", "/3/record"]
    );
    let (_, again) = world.post(&update("b1")).await;
    assert_eq!(again["data"]["duplicate"], false, "nothing had been stored");
}

#[tokio::test]
async fn odd_bodies_are_refused_and_never_ours_to_mend() {
    let world = World::new().await;
    for body in [
        "",
        "null",
        "[]",
        "7",
        "\"x\"",
        "{",
        "{}",
        "[[]]",
        "{\"type\":null,\"table\":null,\"record\":null}",
        "\u{feff}{}",
    ] {
        let (status, problem) = world.send(world.call().posting_bytes(body)).await;
        assert_eq!(status, 400, "{body:?}: {problem}");
    }
    assert_eq!(world.send(world.call().posting_bytes(vec![0xff, 0xfe, b'{'])).await.0, 400);
    assert_eq!(world.send(world.call().posting_bytes(vec![b'x'; 1024 * 1024])).await.0, 413);
    let many: Vec<Value> = (0..101).map(|n| update(&n.to_string())).collect();
    assert_eq!(world.post(&json!(many)).await.0, 400);
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(world.send(world.call().posting_bytes(deep)).await.0, 400);
}

#[tokio::test]
async fn only_a_key_with_the_scope_gets_in() {
    let world = World::new().await;
    let (narrow, shown) = ApiKey::issue(world.tenant, "n".into(), vec![Scope::Activity], jiff::Timestamp::now(), None);
    world.table.put(&narrow).await.unwrap();
    let (ended, over) = ApiKey::issue(
        world.tenant,
        "o".into(),
        Scope::ALL.into(),
        jiff::Timestamp::now(),
        Some(jiff::Timestamp::UNIX_EPOCH),
    );
    world.table.put(&ended).await.unwrap();
    let (_, unknown) = ApiKey::issue(world.tenant, "u".into(), Scope::ALL.into(), jiff::Timestamp::now(), None);

    for (call, expected) in [
        (nobody(), 401),
        (nobody().with_header("authorization", "Bearer nonsense"), 401),
        (nobody().with_header("authorization", "Basic Zm9v"), 401),
        (machine(&over), 401),
        (machine(&unknown), 401),
        (machine(&shown), 403),
        (person(world.tenant, Role::Owner), 401),
    ] {
        // Not even JSON: who calls is settled before anything is parsed.
        assert_eq!(world.send(call.posting_bytes("{")).await.0, expected);
    }
}

#[tokio::test]
async fn an_event_belongs_to_the_keys_tenant_alone() {
    let world = World::new().await;
    let other = TenantId::new();
    let key = api_key(&world.table, other).await;
    let (_, ours) = world.post(&update("b1")).await;

    let (_, theirs) = world.send(machine(&key).posting(&update("b1"))).await;

    assert_eq!(theirs["data"]["duplicate"], false);
    assert_ne!(theirs["data"]["event_id"], ours["data"]["event_id"]);
}

#[tokio::test]
async fn an_idempotency_key_replays_refuses_and_holds() {
    let world = World::new().await;
    let with_key = |id: &str| world.send(world.call().with_header("idempotency-key", "k1").posting(&update(id)));

    let (first, again, other) = (with_key("b1").await, with_key("b1").await, with_key("b2").await);

    assert_eq!((first.0, again.0, other.0), (202, 202, 422));
    assert_eq!(first.1, again.1, "word for word, `duplicate` included");
}

#[tokio::test]
async fn every_change_of_an_array_counts_against_the_limit() {
    let world = World::new().await;
    let now = jiff::Timestamp::now();
    let batch = |n: usize| json!((0..100).map(|id| update(&format!("{n}-{id}"))).collect::<Vec<_>>());
    for n in 0..120 {
        assert_eq!(world.send(world.call().posting(&batch(n)).at(now)).await.0, 202, "{n}");
    }

    assert_eq!(world.send(world.call().posting(&batch(120)).at(now)).await.0, 429);
}

#[tokio::test]
async fn the_readme_shows_the_event_that_its_body_makes() {
    let readme = include_str!("../../../../README.md");
    let between = |from: &str, to: &str| readme.split_once(from).unwrap().1.split_once(to).unwrap().0;
    let body = between(
        "/api/webhooks/booking-events -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' -d '",
        "'\n```",
    );
    // The tenant is a part of the id: that of the samples (`events/README.md`).
    let mut world = World::new().await;
    world.tenant = "ten_06dabr1bg1x010000000000004".parse().unwrap();
    world.key = api_key(&world.table, world.tenant).await;

    let (status, answer) = world.send(world.call().posting_bytes(body.as_bytes().to_vec())).await;

    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["data"]["event_id"], between("{\"event_id\":\"", "\""));
}
