use endpoints::validate::{self, Deps};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::{
    booking::{Change, Operation, TABLES},
    egress::Egress,
    endpoint::{Holder, Previous, State},
    event::Origin,
    gate::Role,
    http::Call,
    id::{EndpointId, TenantId},
    key,
    receiver::{Fill, Kind, Receiver, Trouble},
    testing::{nobody, person, stranger, told, vault},
    trace::TraceId,
};

use crate::{HOOK, World};

async fn validated(world: &World, egress: Egress, call: Call, id: EndpointId) -> (u16, Value) {
    let deps = Deps { gate: world.gate(), table: world.table.clone(), vault: vault(), egress, mails: true };
    told(validate::handle(&deps, call.with_part("id", id)).await)
}

/// The names of the errors and of the warnings.
async fn found(world: &World, egress: Egress, id: EndpointId) -> (Vec<String>, Vec<String>) {
    let (status, answer) = validated(world, egress, world.supervisor(), id).await;
    assert_eq!(status, 200, "{answer}");
    let names = |which: &str| {
        let all = answer["data"][which].as_array().unwrap();
        all.iter().map(|remark| remark["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(answer["data"]["isValid"], names("errors").is_empty());
    (names("errors"), names("warnings"))
}

#[tokio::test]
async fn one_that_is_well_has_no_findings() {
    let world = World::new().await;
    let made = world.endpoint().await;

    assert_eq!(found(&world, world.egress.clone(), made.id()).await, (vec![], vec![]));
    assert!(world.receiver.requests(HOOK).await.unwrap().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn an_address_that_must_not_be_called_and_one_that_is_nowhere_are_errors() {
    let world = World::new().await;
    let inside = world.made(json!({ "name": "a", "url": world.receiver.url(HOOK), "payload_version": "2" })).await;
    let nowhere =
        world.made(json!({ "name": "b", "url": "https://hook.nowhere.invalid/x", "payload_version": "2" })).await;

    // With the guard of production, the address of the stand-in is a private one.
    let guarded = || Egress::new("", "");
    assert_eq!(found(&world, guarded(), inside.id()).await.0, ["url_not_allowed"]);
    assert_eq!(
        found(&world, guarded(), nowhere.id()).await,
        (vec!["host_unknown".into()], vec!["not_a_make_hook".into()])
    );
}

#[tokio::test]
async fn types_that_nothing_is_of_are_named() {
    let world = World::new().await;
    let with = |types: Value| {
        json!({
            "name": "a", "url": world.receiver.url(HOOK), "make_api_key": "k", "payload_version": "2", "event_types": types,
        })
    };
    let none = world.made(with(json!(["bookings.*", "lead.created"]))).await;
    let some = world.made(with(json!(["booking.*", "automation.executed", "lead.created"]))).await;

    let unknown = "event_type_unknown".to_owned();
    assert_eq!(
        found(&world, world.egress.clone(), none.id()).await,
        (vec!["no_known_event_type".into()], vec![unknown.clone(), unknown.clone()])
    );
    assert_eq!(found(&world, world.egress.clone(), some.id()).await, (vec![], vec![unknown]));
}

#[tokio::test]
async fn a_hook_without_a_key_and_a_long_rotation_are_worth_a_word() {
    let world = World::new().await;
    let made = world.made(json!({ "name": "a", "url": world.receiver.url(HOOK), "payload_version": "2" })).await;
    let rotating = |hours| Previous {
        secret: vault_sealed(&world, made.id()),
        until: world.now + SignedDuration::from_hours(hours),
    };
    for (hours, expected) in [(24, vec!["no_make_api_key"]), (25, vec!["no_make_api_key", "secret_in_rotation"])] {
        let change = world.table.change(key::endpoint(world.tenant, made.id()));
        change.set("previous", rotating(hours)).send().await.unwrap();
        assert_eq!(found(&world, world.egress.clone(), made.id()).await.1, expected, "{hours}");
    }
}

fn vault_sealed(world: &World, id: EndpointId) -> shared::secrets::Sealed {
    serde_json::from_value(json!(format!("k1.{}{id}", world.tenant))).unwrap()
}

#[tokio::test]
async fn why_it_is_not_sent_to_is_said() {
    let world = World::new().await;
    let made = world
        .made(json!({ "name": "a", "url": world.receiver.url(HOOK), "make_api_key": "k", "payload_version": "2" }))
        .await;
    for (state, holder, pace, errors, warnings) in [
        (State::Disabled, Holder::Failures, 100, vec!["disabled"], vec![]),
        (State::Held, Holder::Failures, 100, vec!["held"], vec![]),
        (State::Held, Holder::Receiver, 20, vec!["held"], vec!["slowed"]),
        (State::Degraded, Holder::Failures, 100, vec![], vec!["degraded"]),
        (State::Active, Holder::Failures, 50, vec![], vec!["slowed"]),
    ] {
        let change = world.table.change(key::endpoint(world.tenant, made.id()));
        change.set("state", state).set("held_by", holder).set("pace", pace).send().await.unwrap();
        let (found_errors, found_warnings) = found(&world, world.egress.clone(), made.id()).await;
        assert_eq!((found_errors, found_warnings), (owned(&errors), owned(&warnings)), "{state:?}");
    }
}

#[test]
fn every_change_of_a_row_that_is_taken_is_of_a_known_type() {
    for table in TABLES {
        for operation in [Operation::Insert, Operation::Update, Operation::Delete] {
            let change = Change { operation, schema: "public", table, record: Some("{}"), old_record: Some("{}") };
            let event = change.event(TenantId::new(), TraceId::new(), Timestamp::UNIX_EPOCH, Origin::Live);
            assert!(validate::KNOWN.contains(&event.event_type.as_str()), "{}", event.event_type);
        }
    }
    assert_eq!(validate::KNOWN.len(), 3 * TABLES.len() + 3, "and executions, and alerts that open or end");
}

#[tokio::test]
async fn what_its_receiver_says_is_said_here_too() {
    let world = World::new().await;
    let made = world
        .made(json!({ "name": "a", "url": world.receiver.url(HOOK), "make_api_key": "k", "payload_version": "2" }))
        .await;
    let seen = Receiver {
        trouble: Some(Trouble { kind: Kind::ScenarioOff, since: world.now }),
        fill: Fill::Filling,
        ..Receiver::unseen(world.tenant, made.id(), "address".into(), world.now)
    };
    world.table.put(&seen).await.unwrap();

    assert_eq!(
        found(&world, world.egress.clone(), made.id()).await,
        (owned(&["scenario_off"]), owned(&["queue_filling"]))
    );
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_stranger_finds_nothing() {
    let world = World::new().await;
    let made = world.endpoint().await;
    for (call, expected) in [(stranger(), 404), (nobody(), 401), (person(world.tenant, Role::Agent), 403)] {
        assert_eq!(validated(&world, world.egress.clone(), call, made.id()).await.0, expected);
    }
}
