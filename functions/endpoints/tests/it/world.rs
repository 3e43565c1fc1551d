//! A tenant, a receiver, and the functions of this area; and the engine that delivers, to see what they change.

use deliveries::{
    route,
    send::{self, Sender},
};
use endpoints::{create, disable, enable, get};
use jiff::{SignedDuration, Timestamp};
use local::standin::{self, Control};
use serde_json::{Value, json};
use shared::{
    boot::Changed,
    delivery::{Delivery, State},
    egress::Egress,
    endpoint::Endpoint,
    event::{self, Content, Event, Origin},
    gate::{Gate, Role},
    http::Call,
    id::{EndpointId, TenantId},
    key,
    notice::Notice,
    queue::{Kept, Queue},
    table::Table,
    testing::{person, table, told, vault},
    trace::TraceId,
};

/// Where the receiver listens.
pub const HOOK: &str = "/hook.eu1.make.com/bookings";
/// The key that the endpoint of a test sends.
pub const KEY: &str = "key-of-the-hook";

/// A tenant, a receiver, and a clock that the test moves.
pub struct World {
    pub table: Table,
    pub tenant: TenantId,
    pub receiver: Control,
    pub egress: Egress,
    pub queue: Queue,
    pub kept: Kept,
    pub now: Timestamp,
}

/// An endpoint, as making it answered.
pub struct Made(pub Value);

impl World {
    pub async fn new() -> Self {
        let receiver = standin::spawn().await.expect("the stand-in starts");
        let (queue, kept) = Queue::kept();
        Self {
            egress: Egress::new(&receiver.base, &receiver.base),
            table: table().await,
            tenant: TenantId::new(),
            receiver,
            queue,
            kept,
            now: Timestamp::now(),
        }
    }

    pub fn gate(&self) -> Gate {
        Gate::new(self.table.clone())
    }

    pub fn owner(&self) -> Call {
        person(self.tenant, Role::Owner).at(self.now)
    }

    pub fn supervisor(&self) -> Call {
        person(self.tenant, Role::Supervisor).at(self.now)
    }

    /// What making one needs.
    pub fn creating(&self) -> create::Deps {
        create::Deps {
            gate: self.gate(),
            table: self.table.clone(),
            vault: vault(),
            egress: self.egress.clone(),
            mails: true,
        }
    }

    /// What making one answers.
    pub async fn create(&self, call: Call) -> (u16, Value) {
        told(create::handle(&self.creating(), call).await)
    }

    /// An endpoint at the receiver.
    pub async fn endpoint(&self) -> Made {
        self.made(json!({ "name": "Make", "url": self.receiver.url(HOOK), "make_api_key": KEY })).await
    }

    pub async fn made(&self, body: Value) -> Made {
        let (status, answer) = self.create(self.owner().posting(&body)).await;
        assert_eq!(status, 201, "{answer}");
        Made(answer["data"].clone())
    }

    pub async fn get(&self, call: Call, id: impl ToString) -> (u16, Value) {
        let deps = get::Deps { gate: self.gate(), table: self.table.clone() };
        told(get::handle(&deps, call.with_part("id", id)).await)
    }

    pub async fn disable(&self, call: Call, id: impl ToString) -> (u16, Value) {
        let deps = disable::Deps { gate: self.gate(), table: self.table.clone() };
        told(disable::handle(&deps, call.with_part("id", id)).await)
    }

    pub async fn enable(&self, call: Call, id: impl ToString) -> (u16, Value) {
        let deps = enable::Deps { gate: self.gate(), table: self.table.clone(), queue: self.queue.clone() };
        told(enable::handle(&deps, call.with_part("id", id)).await)
    }

    /// The row of an endpoint.
    pub async fn row(&self, id: EndpointId) -> Endpoint {
        self.table.get(key::endpoint(self.tenant, id)).await.unwrap()
    }

    /// A booking event, routed as the stream would.
    pub async fn accept(&self, name: &str) {
        let (event, _) = event::accept(&self.table, self.event(name)).await.unwrap();
        let deps = route::Deps { table: self.table.clone(), queue: self.queue.clone() };
        route::handle(&deps, Changed::making(&event)).await.unwrap();
    }

    /// A delivery to an endpoint as somebody has read it.
    pub async fn park(&self, name: &str, endpoint: &Endpoint) {
        self.table.put(&Delivery::of(&self.event(name), endpoint)).await.unwrap();
    }

    fn event(&self, name: &str) -> Event {
        Event {
            tenant: self.tenant,
            id: event::identity(self.tenant, &[name.as_bytes()]),
            event_type: "booking.updated".into(),
            trace: TraceId::new(),
            accepted_at: self.now,
            occurred_at: None,
            to: None,
            origin: Origin::Live,
            content: Content::Booking {
                operation: shared::booking::Operation::Update,
                table: "bookings".into(),
                record: Some(json!({ "id": name, "status": "confirmed" }).to_string()),
                old_record: None,
            },
        }
    }

    /// What a function that sends has, when it has just started.
    pub fn sender(&self) -> send::Deps {
        let sender = Sender { stage: "test".into(), ..Sender::default() };
        send::Deps::new(self.table.clone(), self.queue.clone(), vault(), self.egress.clone(), sender)
    }

    /// Works on every message that was sent, at its time.
    pub async fn work(&self) {
        let deps = self.sender();
        loop {
            let sent = std::mem::take(&mut *self.kept.lock().unwrap());
            if sent.is_empty() {
                return;
            }
            for (message, delay) in sent {
                let at = self.now + SignedDuration::try_from(delay).unwrap();
                send::handle_at(&deps, serde_json::from_value(message).unwrap(), at).await.unwrap();
            }
        }
    }

    pub async fn deliveries(&self) -> Vec<Delivery> {
        self.table.list_all(&key::deliveries(self.tenant)).await.unwrap()
    }

    /// How far each delivery is, the oldest first.
    pub async fn states(&self) -> Vec<State> {
        self.deliveries().await.into_iter().map(|delivery| delivery.state).collect()
    }

    /// The names of all notices, in the order of the alphabet.
    pub async fn notices(&self) -> Vec<String> {
        let all: Vec<Notice> = self.table.list_all(&key::notices(self.tenant)).await.unwrap();
        let mut names: Vec<String> = all.into_iter().map(|notice| notice.name).collect();
        names.sort();
        names
    }
}

impl Made {
    pub fn id(&self) -> EndpointId {
        self.0["endpoint"]["id"].as_str().unwrap().parse().unwrap()
    }

    pub fn secret(&self) -> &str {
        self.0["signing_secret"].as_str().unwrap()
    }

    pub fn etag(&self) -> &str {
        etag(&self.0["endpoint"])
    }
}

/// The version of an endpoint that is shown.
pub fn etag(shown: &Value) -> &str {
    shown["etag"].as_str().unwrap()
}

/// Where each fault of a refused request lies.
pub fn pointers(answer: &Value) -> Vec<&str> {
    answer["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect()
}
