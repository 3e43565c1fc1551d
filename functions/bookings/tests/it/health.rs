use bookings::health::{self, Deps};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::{
    endpoint::{self, Endpoint, State},
    gate::Gate,
    id::{EndpointId, TenantId},
    key,
    receiver::{Fill, Hook, Incomplete, Kind, Receiver, Scenario, Trouble},
    secrets::webhook_secret,
    table::Table,
    testing::{api_key, machine, nobody, table, told, vault},
};

async fn asked(table: &Table, tenant: TenantId) -> Value {
    let deps = Deps { gate: Gate::new(table.clone()), table: table.clone() };
    let (status, body) = told(health::handle(&deps, machine(&api_key(table, tenant).await)).await);
    assert_eq!(status, 200, "{body}");
    body["data"].clone()
}

async fn endpoint(table: &Table, tenant: TenantId, state: State) -> EndpointId {
    endpoint_for("booking.*", table, tenant, state).await
}

async fn endpoint_for(event_type: &str, table: &Table, tenant: TenantId, state: State) -> EndpointId {
    let sealed = vault().keyring().await.unwrap().seal(["t", "e", "secret"], &webhook_secret()).unwrap();
    let endpoint = Endpoint {
        tenant,
        id: endpoint::subscriber(),
        name: "Make".into(),
        host: "hook.eu1.make.com".into(),
        url: sealed.clone(),
        secret: sealed,
        fingerprint: "0a1b2c3d".into(),
        previous: None,
        make_key: None,
        event_types: vec![event_type.into()],
        form: shared::event::Form::default(),
        retention_days: 30,
        revision: 0,
        held_by: endpoint::Holder::default(),
        pace: 100,
        state,
        reason: Some("why".into()),
        failures: if state == State::Active { 0 } else { 4 },
        failing_since: None,
        probes: 0,
        check_at: None,
        opened_at: None,
        created_at: Timestamp::now(),
    };
    table.put(&endpoint).await.unwrap();
    endpoint.id
}

async fn hour(table: &Table, tenant: TenantId, endpoint: EndpointId, at: Timestamp, succeeded: u32, failed: u32) {
    let change = table
        .change(key::hour(tenant, endpoint, at))
        .or_new()
        .set("tenant", tenant)
        .set("endpoint", endpoint)
        .set("hour", at);
    change
        .add("succeeded", succeeded)
        .add("failed", failed)
        .add("took_ms", 100 * (succeeded + failed))
        .set("last_success_at", at)
        .send()
        .await
        .unwrap();
}

fn names(findings: &Value) -> Vec<&str> {
    findings.as_array().unwrap().iter().map(|finding| finding["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn without_an_endpoint_it_says_what_to_do() {
    let health = asked(&table().await, TenantId::new()).await;

    assert_eq!((health["status"].as_str(), health["configured"].as_bool()), (Some("not_configured"), Some(false)));
    assert_eq!(names(&health["errors"]), ["no_endpoint"]);
    assert_eq!(health["reachable"], Value::Null);
}

#[tokio::test]
async fn an_endpoint_that_wants_one_type_alone_is_configured() {
    for (event_type, configured) in
        [("booking.created", true), ("booking_event.deleted", true), ("automation.*", false)]
    {
        let (table, tenant) = (table().await, TenantId::new());
        endpoint_for(event_type, &table, tenant, State::Active).await;

        assert_eq!(asked(&table, tenant).await["configured"], configured, "{event_type}");
    }
}

#[tokio::test]
async fn a_good_day_is_healthy() {
    let (table, tenant) = (table().await, TenantId::new());
    let id = endpoint(&table, tenant, State::Active).await;
    let now = Timestamp::now();
    hour(&table, tenant, id, now, 30, 0).await;
    hour(&table, tenant, id, now - SignedDuration::from_hours(3), 69, 1).await;
    hour(&table, tenant, id, now - SignedDuration::from_hours(30), 0, 500).await;

    let health = asked(&table, tenant).await;

    assert_eq!(health["status"], "healthy", "{health}");
    assert_eq!(health["success_rate"], 0.99);
    assert_eq!((health["succeeded"].as_u64(), health["failed"].as_u64()), (Some(99), Some(1)));
    assert_eq!(health["average_response_ms"], 100);
    assert_eq!(health["reachable"], true);
    assert_eq!(health["parked"], 0);
}

#[tokio::test]
async fn a_held_endpoint_is_an_error_and_a_weak_one_a_warning() {
    for (state, status, error, warning) in [
        (State::Held, "unhealthy", vec!["endpoint_held"], vec![]),
        (State::Disabled, "unhealthy", vec!["endpoint_disabled"], vec![]),
        (State::Degraded, "degraded", vec![], vec!["endpoint_degraded"]),
    ] {
        let (table, tenant) = (table().await, TenantId::new());
        endpoint(&table, tenant, state).await;

        let health = asked(&table, tenant).await;

        assert_eq!(
            (health["status"].as_str(), names(&health["errors"]), names(&health["warnings"])),
            (Some(status), error, warning)
        );
    }
}

/// What Make.com said of the webhook behind an endpoint, so long ago.
async fn receiver(table: &Table, tenant: TenantId, endpoint: EndpointId, minutes: i64) -> Receiver {
    let seen_at = Timestamp::now() - SignedDuration::from_mins(minutes);
    let receiver = Receiver {
        revision: 1,
        hook: Some(Hook {
            id: 1,
            name: "Bookings".into(),
            queue_count: Some(12),
            queue_limit: Some(667),
            enabled: Some(true),
            gone: Some(false),
            listed: true,
        }),
        scenario: Some(Scenario {
            id: 2,
            name: "Booking intake".into(),
            is_active: Some(false),
            is_paused: Some(false),
            is_invalid: Some(false),
            is_linked: Some(true),
            incomplete_runs: Some(4),
        }),
        ..Receiver::unseen(tenant, endpoint, "0a1b2c3d".into(), seen_at)
    };
    table.put(&receiver).await.unwrap();
    receiver
}

#[tokio::test]
async fn it_says_why_a_delivered_event_had_no_effect() {
    let (table, tenant) = (table().await, TenantId::new());
    let id = endpoint(&table, tenant, State::Held).await;
    table
        .change::<Endpoint>(key::endpoint(tenant, id))
        .set("held_by", endpoint::Holder::Receiver)
        .send()
        .await
        .unwrap();
    let seen = receiver(&table, tenant, id, 1).await;
    let since: Timestamp = "2026-11-20T09:30:00Z".parse().unwrap();
    let off = Receiver {
        trouble: Some(Trouble { kind: Kind::ScenarioOff, since }),
        incomplete: Some(Incomplete { since, told: 4 }),
        ..seen
    };
    table.put(&off).await.unwrap();

    let health = asked(&table, tenant).await;

    assert_eq!(names(&health["errors"]), ["endpoint_held", "scenario_off"]);
    assert_eq!(names(&health["warnings"]), ["incomplete_runs"]);
    assert_eq!(
        health["errors"][1]["detail"],
        "Make: delivered to Make.com, but scenario \"Booking intake\" is off since 2026-11-20T09:30:00Z: 12 events wait in its queue"
    );
    assert!(health["errors"][0]["detail"].as_str().unwrap().contains("when its receiver is at work again"));
    let shown = &health["endpoints"][0];
    assert_eq!((&shown["held_by"], &shown["receiver"]["verdict"]), (&"receiver".into(), &"scenario_off".into()));
    assert_eq!(health["status"], "unhealthy");
}

#[tokio::test]
async fn a_queue_that_fills_and_a_receiver_of_which_nothing_is_known_are_warnings_and_one_that_works_is_none() {
    let (table, tenant) = (table().await, TenantId::new());
    let id = endpoint(&table, tenant, State::Active).await;
    let seen = receiver(&table, tenant, id, 1).await;
    assert_eq!(asked(&table, tenant).await["status"], "healthy");

    table.put(&Receiver { fill: Fill::High, ..seen.clone() }).await.unwrap();
    let health = asked(&table, tenant).await;
    assert_eq!((health["status"].as_str(), names(&health["warnings"])), (Some("degraded"), vec!["queue_filling"]));

    table.put(&Receiver { fill: Fill::Full, ..seen }).await.unwrap();
    assert_eq!(names(&asked(&table, tenant).await["errors"]), ["queue_full"]);

    receiver(&table, tenant, id, 16).await;
    assert_eq!(names(&asked(&table, tenant).await["warnings"]), ["receiver_unknown"]);
}

#[tokio::test]
async fn nobody_is_told_nothing() {
    let table = table().await;
    let deps = Deps { gate: Gate::new(table.clone()), table };
    assert_eq!(told(health::handle(&deps, nobody()).await).0, 401);
}
