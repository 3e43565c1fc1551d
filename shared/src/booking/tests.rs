use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::{
    testing::{Units, table},
    trace::TraceId,
};

struct World {
    table: Table,
    tenant: TenantId,
    now: Timestamp,
}

impl World {
    async fn new() -> Self {
        Self { table: table().await, tenant: TenantId::new(), now: "2026-11-21T12:00:00Z".parse().unwrap() }
    }

    /// A row that changed so many minutes after ten, and whose event came an hour later.
    fn event(&self, operation: Operation, table: &str, minute: i64, mut row: Value) -> Event {
        let at = |minute: i64| format!("2026-11-21T10:{minute:02}:00.000001+00:00");
        row["created_at"] = json!(at(0));
        row["updated_at"] = json!(at(minute));
        let (row, accepted_at) = (row.to_string(), self.now + SignedDuration::from_mins(minute));
        let (record, old_record) = match operation {
            Operation::Delete => (None, Some(row.as_str())),
            _ => (Some(row.as_str()), None),
        };
        let change = Change { operation, schema: "public", table, record, old_record };
        change.event(self.tenant, TraceId::new(), accepted_at, Origin::Live)
    }

    fn booking(&self, minute: i64, status: &str, client: &str) -> Event {
        let row = json!({ "id": "b1", "status": status, "client_id": client, "provider_id": 7 });
        self.event(Operation::Update, "bookings", minute, row)
    }

    fn client(&self, minute: i64, id: &str, name: &str) -> Event {
        let row = json!({ "id": id, "name": name, "email": "a@b.c", "phone": "not told" });
        self.event(Operation::Update, "clients", minute, row)
    }

    fn provider(&self, minute: i64, name: &str) -> Event {
        let row = json!({ "id": 7, "name": name, "email": "p@b.c", "company_name": "Lakeside" });
        self.event(Operation::Update, "providers", minute, row)
    }

    async fn keep(&self, event: &Event) {
        keep(&self.table, event).await.unwrap();
    }

    async fn kept(&self, table: &str, id: &str) -> Option<Kept> {
        self.table.find_now(key::kept(self.tenant, table, id)).await.unwrap()
    }

    /// What is told around an event that names its booking alone.
    async fn told(&self, booking: &str) -> Context {
        let row = json!({ "id": "e1", "booking_id": booking });
        context(&self.table, &self.event(Operation::Insert, "booking_events", 0, row)).await
    }
}

fn json_of(text: &Option<String>) -> Value {
    parsed(text.as_deref()).unwrap_or_default()
}

#[tokio::test]
async fn a_booking_is_told_with_its_people() {
    let world = World::new().await;
    for event in [world.client(1, "c1", "Ana"), world.provider(1, "Bo"), world.booking(2, "confirmed", "c1")] {
        world.keep(&event).await;
    }

    let told = world.told("b1").await;

    assert_eq!(json_of(&told.client_info), json!({ "id": "c1", "name": "Ana", "email": "a@b.c" }));
    assert_eq!(
        json_of(&told.provider_info),
        json!({ "id": 7, "name": "Bo", "email": "p@b.c", "company_name": "Lakeside" })
    );
    assert_eq!(json_of(&told.booking_details)["status"], "confirmed");
    assert_eq!(world.told("b2").await, Context::default(), "nothing is known of it");
}

/// Everything in all orders, each twice, the second time in another order.
#[tokio::test]
async fn the_order_of_arrival_makes_no_difference() {
    let world = World::new().await;
    let events = [
        world.booking(1, "pending", "c1"),
        world.booking(2, "confirmed", "c2"),
        world.client(1, "c1", "Ana"),
        world.client(3, "c2", "Eve"),
        world.client(4, "c2", "Eva"),
        world.provider(1, "Bo"),
    ];
    let mut orders = vec![Vec::new()];
    for n in 0..events.len() {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| (0..=n).map(move |at| [&order[..at], &[n], &order[at..]].concat()))
            .collect();
    }
    assert_eq!(orders.len(), 720);
    for (nth, order) in orders.iter().enumerate().filter(|(nth, _)| nth % 5 == 0) {
        let world = World { tenant: TenantId::new(), table: world.table.clone(), ..world };
        let again = &orders[(nth * 7 + 3) % orders.len()];
        for n in order.iter().chain(again) {
            world.keep(&Event { tenant: world.tenant, ..events[*n].clone() }).await;
        }

        let told = world.told("b1").await;

        assert_eq!(json_of(&told.booking_details)["status"], "confirmed", "{order:?}");
        assert_eq!(json_of(&told.client_info)["name"], "Eva", "{order:?}");
        assert_eq!(json_of(&told.provider_info)["name"], "Bo", "{order:?}");
    }
}

#[tokio::test]
async fn all_at_once_and_killed_anywhere_it_comes_out_the_same() {
    let world = World::new().await;
    for round in 0..40u64 {
        let world = World { tenant: TenantId::new(), table: world.table.clone(), ..world };
        let events = [
            world.client(1, "c1", "Ana"),
            world.booking(2, "pending", "c1"),
            world.client(3, "c1", "Anna"),
            world.booking(3, "confirmed", "c1"),
            world.provider(1, "Bo"),
            world.provider(2, "Bob"),
        ];
        let hurried = events.iter().enumerate().map(|(n, event)| {
            let patience = Duration::from_micros(200 + (round * 977 + n as u64 * 1_613) % 6_000);
            tokio::time::timeout(patience, keep(&world.table, event))
        });
        futures::future::join_all(hurried).await;
        // The stream brings again whatever was not finished.
        for done in futures::future::join_all(events.iter().map(|event| keep(&world.table, event))).await {
            done.unwrap();
        }

        let told = world.told("b1").await;

        assert_eq!(json_of(&told.booking_details)["status"], "confirmed", "{round}");
        assert_eq!(json_of(&told.client_info)["name"], "Anna", "{round}");
        assert_eq!(json_of(&told.provider_info)["name"], "Bob", "{round}");
    }
}

#[tokio::test]
async fn what_is_deleted_still_gives_context_and_is_forgotten_later() {
    let world = World::new().await;
    let row = json!({ "id": "b1", "status": "cancelled", "client_id": "c1" });
    for event in [
        world.client(1, "c1", "Ana"),
        world.booking(2, "confirmed", "c1"),
        world.event(Operation::Delete, "bookings", 2, row),
        world.booking(2, "late", "c1"),
    ] {
        world.keep(&event).await;
    }

    let kept = world.kept("bookings", "b1").await.unwrap();
    assert!(kept.deleted && kept.keep_until.is_some());
    let told = world.told("b1").await;
    assert_eq!(json_of(&told.booking_details)["status"], "cancelled");
    assert_eq!(json_of(&told.client_info)["name"], "Ana");

    world.keep(&world.booking(5, "made again", "c1")).await;
    let kept = world.kept("bookings", "b1").await.unwrap();
    assert!(!kept.deleted && kept.keep_until.is_none());
}

#[tokio::test]
async fn an_event_of_the_source_is_noted_and_not_kept() {
    let world = World::new().await;
    let row = json!({ "id": 41, "booking_id": "b1", "description": "a long story" });
    let event = world.event(Operation::Insert, "booking_events", 3, row);

    world.keep(&event).await;

    let kept = world.kept("booking_events", "41").await.unwrap();
    assert_eq!((kept.event, kept.record.as_deref()), (event.id, None));
    assert_eq!(kept.version, "2026-11-21T10:03:00.000001Z".parse::<Timestamp>().unwrap().as_microsecond());
    assert!(kept.keep_until.is_some());
}

#[tokio::test]
async fn rows_that_cannot_be_told_apart_are_not_kept() {
    let world = World::new().await;
    for id in [json!(null), json!(""), json!("x".repeat(201)), json!({})] {
        world.keep(&world.event(Operation::Insert, "bookings", 1, json!({ "id": id, "client_id": "c1" }))).await;
    }
    assert!(world.table.list_all(&key::kept_links(world.tenant, "clients", "c1")).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_newest_bookings_of_a_client_are_told_and_the_others_at_their_next_event() {
    let world = World::new().await;
    world.keep(&world.client(1, "c1", "Ana")).await;
    let booking = |n: i64, status: &str| {
        let made = format!("2026-{:02}-{:02}T10:00:00+00:00", 1 + n / 28, 1 + n % 28);
        let row = json!({ "id": format!("b{n}"), "status": status, "client_id": "c1", "created_at": made }).to_string();
        let change = Change {
            operation: Operation::Update,
            schema: "public",
            table: "bookings",
            record: Some(&row),
            old_record: None,
        };
        change.event(world.tenant, TraceId::new(), world.now, Origin::Live)
    };
    for n in 0..=i64::from(MOST_BOOKINGS) {
        world.keep(&booking(n, "confirmed")).await;
    }

    world.keep(&world.client(2, "c1", "Anna")).await;

    let name = async |booking: &str| json_of(&world.told(booking).await.client_info)["name"].clone();
    assert_eq!(name("b200").await, "Anna");
    assert_eq!(name("b1").await, "Anna");
    assert_eq!(name("b0").await, "Ana", "the oldest of 201");
    world.keep(&booking(0, "changed")).await;
    assert_eq!(name("b0").await, "Anna");
}

#[tokio::test]
async fn a_booking_that_went_to_another_client_is_left_alone() {
    let world = World::new().await;
    for event in [
        world.client(1, "c1", "Ana"),
        world.client(1, "c2", "Eve"),
        world.booking(2, "pending", "c1"),
        world.booking(3, "pending", "c2"),
        world.client(4, "c1", "Anna"),
    ] {
        world.keep(&event).await;
    }

    assert_eq!(json_of(&world.told("b1").await.client_info)["name"], "Eve");
    assert!(world.table.list_all(&key::kept_links(world.tenant, "clients", "c1")).await.unwrap().is_empty());
}

/// A table behind an address at which nobody answers, or nobody listens.
fn table_at(address: std::net::SocketAddr) -> Table {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .build();
    Table::new(aws_sdk_dynamodb::Client::from_conf(config), "crossdock")
}

#[tokio::test]
async fn a_delivery_goes_without_its_context_where_the_table_is_down_or_slow() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap();
    let gone = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    for address in [silent, gone] {
        let world = World { table: table_at(address), ..World::new().await };
        let began = Instant::now();
        let event = world.booking(1, "confirmed", "c1");

        let known = context(&world.table, &event).await;

        assert_eq!(known, Context::default());
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let payload: Value = serde_json::from_str(&event.payload("test", &known, None).unwrap()).unwrap();
        assert_eq!(payload["missing_context"], json!(["client_info", "provider_info"]));
    }
}

#[tokio::test]
async fn a_time_is_read_as_postgres_writes_it() {
    let at = |text: &str| moment(&json!({ "at": text }), "at").map(|at| at.to_string());
    let moment = Some("2026-11-21T09:30:00.123456Z".to_owned());
    for text in [
        "2026-11-21T09:30:00.123456+00:00",
        "2026-11-21T10:30:00.123456+01:00",
        "2026-11-21 09:30:00.123456+00",
        "2026-11-21T09:30:00.123456",
        "2026-11-21T09:30:00.123456Z",
    ] {
        assert_eq!(at(text), moment, "{text}");
    }
    for text in ["", "infinity", "soon", "2026-11-21T25:00:00Z"] {
        assert_eq!(at(text), None, "{text}");
    }
}

#[tokio::test]
async fn keeping_costs_what_the_readme_says() {
    let units = Units::default();
    let world = World { table: table().await.metered(units.meter()), ..World::new().await };
    let cost = async |event: Event| {
        world.keep(&event).await;
        units.take()
    };

    assert_eq!(cost(world.booking(1, "pending", "c1")).await, (4.0, 2.0), "of a booking, the first");
    assert_eq!(cost(world.booking(2, "confirmed", "c1")).await, (1.0, 2.0), "of a booking, a further one");
    assert_eq!(cost(world.client(1, "c1", "Ana")).await, (2.0, 4.0), "of a client of one booking");
    let row = json!({ "id": "e1", "booking_id": "b1" });
    assert_eq!(cost(world.event(Operation::Insert, "booking_events", 3, row)).await, (1.0, 0.0), "of booking_events");
    world.told("b1").await;
    assert_eq!(units.take(), (0.0, 0.5), "the context of a delivery");
}
