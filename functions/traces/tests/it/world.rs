//! A tenant with endpoints, a receiver, and the engine that delivers; and events of which a trace tells.

use std::collections::BTreeMap;

use deliveries::{
    route,
    send::{self, Sender},
};
use endpoints::create;
use jiff::{SignedDuration, Timestamp, Unit};
use local::standin::{self, Control, Recorded};
use serde_json::{Value, json};
use shared::{
    boot::Changed,
    delivery::Delivery,
    egress::Egress,
    event::{self, Content, Event, Origin},
    gate::{Gate, Role},
    http::Call,
    id::{EndpointId, TenantId},
    key,
    live::Numbered,
    queue::{Kept, Queue},
    table::Table,
    testing::{person, table, told, vault},
    trace::TraceId,
};

/// Where the receiver listens.
pub const HOOK: &str = "/hook.eu1.make.com/bookings";
/// Where our API is, as payloads name it.
pub const PUBLIC_URL: &str = "https://api.example.com";

pub struct World {
    pub table: Table,
    pub tenant: TenantId,
    pub receiver: Control,
    pub egress: Egress,
    pub queue: Queue,
    pub kept: Kept,
    pub now: Timestamp,
}

impl World {
    pub async fn new() -> Self {
        Self::on(table().await).await
    }

    pub async fn on(table: Table) -> Self {
        let receiver = standin::spawn().await.expect("the stand-in starts");
        let (queue, kept) = Queue::kept();
        Self {
            egress: Egress::new(&receiver.base, &receiver.base),
            table,
            tenant: TenantId::new(),
            receiver,
            queue,
            kept,
            now: Timestamp::now().round(Unit::Second).unwrap(),
        }
    }

    pub fn gate(&self) -> Gate {
        Gate::new(self.table.clone())
    }

    pub fn supervisor(&self) -> Call {
        person(self.tenant, Role::Supervisor).at(self.now)
    }

    /// A new endpoint at the receiver, and its secret.
    pub async fn endpoint(&self, name: &str, hook: &str) -> (EndpointId, String) {
        let deps = create::Deps {
            gate: self.gate(),
            table: self.table.clone(),
            vault: vault(),
            egress: self.egress.clone(),
            mails: false,
        };
        let body = json!({ "name": name, "url": self.receiver.url(hook) });
        let call = person(self.tenant, Role::Owner).at(self.now).posting(&body);
        let (status, answer) = told(create::handle(&deps, call).await);
        assert_eq!(status, 201, "{answer}");
        let id = answer["data"]["endpoint"]["id"].as_str().unwrap().parse().unwrap();
        (id, answer["data"]["signing_secret"].as_str().unwrap().to_owned())
    }

    /// A booking event that nobody has stored yet.
    pub fn booking(&self, name: &str, trace: TraceId) -> Event {
        Event {
            tenant: self.tenant,
            id: event::identity(self.tenant, &[name.as_bytes()]),
            event_type: "booking.updated".into(),
            trace,
            accepted_at: self.now,
            occurred_at: None,
            to: None,
            origin: Origin::Live,
            content: Content::Booking {
                operation: shared::booking::Operation::Update,
                table: "bookings".into(),
                record: Some(json!({ "id": name, "status": "confirmed", "total_price": 120.5 }).to_string()),
                old_record: None,
            },
        }
    }

    /// Stores and numbers an event.
    pub async fn number(&self, event: &Event) {
        event::accept(&self.table, event.clone()).await.unwrap();
        let numbered = Numbered {
            tenant: self.tenant,
            trace: event.trace,
            event: event.id,
            numbers: BTreeMap::from([("tenant".to_owned(), 7)]),
            at: event.accepted_at + SignedDuration::from_millis(40),
        };
        self.table.put(&numbered).await.unwrap();
    }

    /// Routes it, as the stream would.
    pub async fn route(&self, event: &Event) {
        let deps = route::Deps { table: self.table.clone(), queue: self.queue.clone() };
        route::handle(&deps, Changed::making(event)).await.unwrap();
    }

    /// A booking event on its way.
    pub async fn accept(&self, name: &str) -> Event {
        let event = self.booking(name, TraceId::new());
        self.number(&event).await;
        self.route(&event).await;
        event
    }

    /// What a function that sends has, when it has just started.
    pub fn sender(&self) -> send::Deps {
        let sender = Sender { stage: "test".into(), public_url: PUBLIC_URL.into(), ..Sender::default() };
        send::Deps::new(self.table.clone(), self.queue.clone(), vault(), self.egress.clone(), sender)
    }

    /// Works on the messages that were sent so far, a second later.
    pub async fn work(&mut self) {
        self.now += SignedDuration::from_secs(1);
        let deps = self.sender();
        let sent = std::mem::take(&mut *self.kept.lock().unwrap());
        for (message, _) in sent {
            send::handle_at(&deps, serde_json::from_value(message).unwrap(), self.now).await.unwrap();
        }
    }

    pub async fn deliveries(&self) -> Vec<Delivery> {
        self.table.list_all(&key::deliveries(self.tenant)).await.unwrap()
    }

    /// The one delivery that there is.
    pub async fn delivery(&self) -> Delivery {
        let mut all = self.deliveries().await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// What was received last.
    pub async fn received(&self) -> Recorded {
        self.receiver.requests(HOOK).await.unwrap().pop().unwrap()
    }
}

/// Where each fault of a refused request lies.
pub fn pointers(answer: &Value) -> Vec<&str> {
    answer["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect()
}
