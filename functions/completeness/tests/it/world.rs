//! A tenant, its database behind a REST interface, the webhooks on their way, the table's stream, and a clock.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    config::{BehaviorVersion, Credentials, Region},
    types::AttributeValue,
};
use bookings::receive;
use completeness::{
    reconcile::{self, Deps, Terms, Told},
    set_source, show,
};
use jiff::{SignedDuration, Timestamp};
use local::standin::{self, Changed, Control, DatabaseHook, Project, RowChange};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    booking::keep,
    egress::Egress,
    event::{Content, Event},
    gate::{Gate, Role},
    http::Call,
    id::{EventId, TenantId},
    key,
    limit::Limits,
    live::{Channel, Entry},
    source::{Day, Source},
    table::{Table, row},
    tenant::{Tenant, Zone},
    testing::{Units, api_key, machine, person, table_served, told, vault},
};

/// Where webhooks arrive before the test takes them further.
const HOOK: &str = "/hook.eu1.make.com/webhooks";
pub const PROJECT: &str = "p1";

pub struct World {
    pub table: Table,
    pub units: Units,
    pub tenant: TenantId,
    pub source: Control,
    pub deps: Deps,
    pub now: Timestamp,
    key: SecretString,
    gate: Gate,
    address: std::net::SocketAddr,
    streamed: BTreeSet<EventId>,
    numbered: u64,
}

/// A time as Postgres writes it.
pub fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

impl World {
    /// A tenant with a project whose webhooks are on.
    pub async fn new() -> Self {
        let (table, address) = table_served().await;
        let (units, tenant) = (Units::default(), TenantId::new());
        let table = table.metered(units.meter());
        let source = standin::spawn().await.unwrap();
        let now = Timestamp::now() - SignedDuration::from_hours(6);
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap();
        let row = Tenant { id: tenant, name: "Marina".into(), time_zone: Zone::UTC, created_at: now };
        table.put(&row).await.unwrap();
        let columns =
            |names: &[(&str, &str)]| names.iter().map(|(name, kind)| ((*name).into(), (*kind).into())).collect();
        let times = [("created_at", "timestamptz"), ("updated_at", "timestamptz")];
        let bookings =
            [times.as_slice(), &[("id", "text"), ("status", "text"), ("note", "text"), ("total_price", "numeric")]]
                .concat();
        let events = [("id", "bigint"), ("booking_id", "text"), ("description", "text"), ("created_at", "timestamptz")];
        source
            .set_project(
                PROJECT,
                &Project {
                    webhooks: Some(vec![DatabaseHook::to(source.url(HOOK))]),
                    tables: Some(
                        [("bookings".into(), columns(&bookings)), ("booking_events".into(), columns(&events))].into(),
                    ),
                    ..Project::default()
                },
            )
            .await
            .unwrap();
        Self {
            key: api_key(&table, tenant).await,
            gate: Gate::new(table.clone()),
            deps: Deps { table: table.clone(), vault: vault(), egress: Egress::new(&source.base, &source.base) },
            table,
            units,
            tenant,
            source,
            now,
            address,
            streamed: BTreeSet::new(),
            numbered: 0,
        }
    }

    /// The same with a source that is compared from now on.
    pub async fn comparing() -> Self {
        let world = Self::new().await;
        let (status, answer) = world.set(&world.plan()).await;
        assert_eq!(status, 201, "{answer}");
        world
    }

    pub fn plan(&self) -> Value {
        json!({ "base_url": self.source.supabase_url(PROJECT), "key": format!("sb_secret_{PROJECT}") })
    }

    pub fn owner(&self) -> Call {
        person(self.tenant, Role::Owner).at(self.now)
    }

    pub async fn set(&self, plan: &Value) -> (u16, Value) {
        self.set_by(self.owner().posting(plan)).await
    }

    pub async fn set_by(&self, call: Call) -> (u16, Value) {
        let deps = set_source::Deps {
            gate: Gate::new(self.table.clone()),
            table: self.table.clone(),
            vault: vault(),
            egress: self.deps.egress.clone(),
            limits: Limits::default(),
        };
        told(set_source::handle(&deps, call).await)
    }

    /// The tenant's answer to how complete it is.
    pub async fn shown(&self) -> Value {
        let deps = show::Deps { gate: Gate::new(self.table.clone()), table: self.table.clone() };
        let (status, answer) = told(show::handle(&deps, self.owner()).await);
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }

    pub fn pass(&mut self, minutes: i64) {
        self.now += SignedDuration::from_mins(minutes);
    }

    /// A row changes now; its webhook comes to where the test fetches it, or is lost.
    pub async fn change(&self, change: RowChange) -> Changed {
        self.source.change_row(PROJECT, change).await.unwrap()
    }

    /// A booking as it is written now.
    pub fn booking(&self, id: &str, status: &str) -> Value {
        json!({ "id": id, "status": status, "total_price": "120.50", "updated_at": written(self.now) })
    }

    /// A new booking.
    pub fn new_booking(&self, id: &str) -> RowChange {
        let mut row = self.booking(id, "pending");
        row["created_at"] = row["updated_at"].clone();
        RowChange::insert("bookings", row)
    }

    /// A new row of `booking_events`.
    pub fn new_event(&self, id: u64) -> RowChange {
        let row = json!({ "id": id, "booking_id": "b1", "description": "Paid", "created_at": written(self.now) });
        RowChange::insert("booking_events", row)
    }

    /// The webhooks that have left since the last time, as they were sent.
    pub async fn webhooks(&self) -> Vec<Vec<u8>> {
        self.source.webhooks_settled(PROJECT).await.unwrap();
        let sent = self.source.requests(HOOK).await.unwrap();
        self.source.forget(HOOK).await.unwrap();
        sent.iter().map(local::standin::Recorded::bytes).collect()
    }

    /// A webhook comes in now. Whether it was known already.
    pub async fn receive(&self, webhook: &[u8]) -> bool {
        let deps = receive::Deps { gate: self.gate.clone(), table: self.table.clone() };
        let call = machine(&self.key).posting_bytes(webhook.to_vec()).at(self.now);
        let (status, answer) = told(receive::handle(&deps, call).await);
        assert_eq!(status, 202, "{answer}");
        answer["data"]["duplicate"].as_bool().unwrap()
    }

    /// Every webhook comes in, and the stream has told of it.
    pub async fn arrive(&mut self) {
        for webhook in self.webhooks().await {
            self.receive(&webhook).await;
        }
        self.stream().await;
    }

    /// A run of the schedule, now.
    pub async fn run(&self) -> Told {
        reconcile::all(&self.deps, self.now, Terms::default()).await.unwrap()
    }

    /// A run and what follows of it.
    pub async fn reconcile(&mut self) -> Told {
        let told = self.run().await;
        self.stream().await;
        told
    }

    /// Keeps what the stream tells of new events, and numbers them.
    pub async fn stream(&mut self) {
        for event in self.events().await {
            if self.streamed.insert(event.id) {
                keep(&self.table, &event).await.unwrap();
                self.numbered += 1;
                let (tenant, number, at) = (event.tenant, self.numbered, self.now);
                let entry = Entry { tenant, channel: Channel::Tenant, number, event: event.id, at };
                self.table.put(&entry).await.unwrap();
            }
        }
    }

    /// The names of all notices so far.
    pub async fn notices(&self) -> Vec<String> {
        let notices = self.table.list_all(&key::notices(self.tenant)).await.unwrap();
        notices.into_iter().map(|notice| notice.name).collect()
    }

    /// Every event that was accepted, in the order of its acceptance.
    pub async fn events(&self) -> Vec<Event> {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(format!("http://{}", self.address))
            .build();
        let client = aws_sdk_dynamodb::Client::from_conf(config);
        let mut pages = client
            .scan()
            .table_name("crossdock")
            .filter_expression("kind = :event")
            .expression_attribute_values(":event", AttributeValue::S("event".into()))
            .into_paginator()
            .items()
            .send();
        let mut events = Vec::new();
        while let Some(item) = pages.next().await {
            events.push(row::<Event>(item.unwrap()).unwrap());
        }
        events.sort_by_key(|event| event.accepted_at);
        events
    }

    pub async fn stored_source(&self) -> Source {
        self.table.get(key::source(self.tenant)).await.unwrap()
    }

    /// All days together.
    pub async fn counted(&self) -> Day {
        let date = |at: Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let (from, to) = (self.now - SignedDuration::from_hours(96), self.now + SignedDuration::from_hours(24));
        let days = self.table.list_all(&key::completeness_days(self.tenant, date(from), date(to))).await.unwrap();
        let mut all = Day::new(self.tenant, date(to));
        days.iter().for_each(|day| all.merge(day).unwrap());
        all
    }
}

/// The row of an event, and the row before.
pub fn rows(event: &Event) -> (Value, Value) {
    let Content::Booking { record, old_record, .. } = &event.content else { panic!("{event:?}") };
    let read = |text: &Option<String>| serde_json::from_str(text.as_deref().unwrap_or("null")).unwrap();
    (read(record), read(old_record))
}
