//! A tenant whose events come by the stream, and connections that keep what they are told.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use live::{connect, disconnect, follow, message, pump::Pump, sweep};
use serde_json::{Value, json};
use shared::{
    Result,
    boot::Changed,
    event::{self, Content, Event, Origin},
    gate::Role,
    id::TenantId,
    key,
    limit::Limits,
    listener::{Listener, Presence, Subscription},
    live::{Channel, Entry, LAST},
    socket::{Kept, Sockets},
    table::Table,
    testing::{said, table},
    trace::TraceId,
};

pub struct World {
    pub table: Table,
    pub tenant: TenantId,
    pub sockets: Sockets,
    pub kept: Kept,
    pub follow: follow::Deps,
    pub message: message::Deps,
    pub connect: connect::Deps,
    pub sweep: sweep::Deps,
    next: AtomicUsize,
}

impl World {
    pub async fn new() -> Self {
        Self::on(table().await)
    }

    pub fn on(table: Table) -> Self {
        let (sockets, kept) = Sockets::kept();
        let pump = Pump { table: table.clone().consistent(), sockets: sockets.clone(), stage: "test".into() };
        Self {
            tenant: TenantId::new(),
            follow: follow::Deps::new(pump.clone()),
            message: message::Deps { pump, limits: Limits::default(), most: 1_000 },
            connect: connect::Deps { table: table.clone(), sockets: sockets.clone(), limits: Limits::default() },
            sweep: sweep::Deps { table: table.clone(), sockets: sockets.clone() },
            table,
            sockets,
            kept,
            next: AtomicUsize::new(1),
        }
    }

    /// Another process that follows the same table.
    pub fn another_follower(&self) -> follow::Deps {
        follow::Deps::new(self.message.pump.clone())
    }

    /// A new version of a booking, which nobody has stored yet.
    pub fn booking(&self, id: &str) -> Event {
        self.booking_of(id, json!({ "user_id": "u1", "client_id": "c1", "provider_id": "p1" }))
    }

    pub fn booking_of(&self, id: &str, more: Value) -> Event {
        let mut row = json!({ "id": id, "booking_number": "BK-1", "status": "confirmed" });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.event("bookings", &row)
    }

    pub fn event(&self, table: &str, row: &Value) -> Event {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        Event {
            tenant: self.tenant,
            id: event::identity(self.tenant, &[&number.to_be_bytes()]),
            event_type: "booking.updated".into(),
            trace: TraceId::new(),
            accepted_at: Timestamp::now(),
            occurred_at: None,
            to: None,
            origin: Origin::Live,
            content: Content::Booking {
                operation: shared::booking::Operation::Update,
                table: table.into(),
                record: Some(row.to_string()),
                old_record: None,
            },
        }
    }

    /// Accepts an event and follows it, as the stream would.
    pub async fn happens(&self, event: &Event) {
        event::accept(&self.table, event.clone()).await.unwrap();
        self.follow(event).await.unwrap();
    }

    pub async fn follow(&self, event: &Event) -> Result<()> {
        follow::handle(&self.follow, vec![Changed::making(event)]).await
    }

    /// So many events of one booking, one after the other.
    pub async fn bookings(&self, id: &str, many: usize) {
        for _ in 0..many {
            self.happens(&self.booking(id)).await;
        }
    }

    pub async fn opens(&self, role: Role, subject: &str, connection: &str) -> Result<()> {
        connect::handle(&self.connect, said(self.tenant, role, subject, connection, &json!({}))).await
    }

    /// The same by a token that ends then.
    pub async fn opens_until(&self, subject: &str, connection: &str, until: Timestamp) {
        let mut said = said(self.tenant, Role::Owner, subject, connection, &json!({}));
        said.until = Some(until);
        connect::handle(&self.connect, said).await.unwrap();
    }

    /// An owner who is connected.
    pub async fn owner(&self, connection: &str) {
        self.opens(Role::Owner, "boss", connection).await.unwrap();
    }

    /// What somebody is told in answer to a message.
    pub async fn says(&self, role: Role, subject: &str, connection: &str, what: Value) -> Vec<Value> {
        let before = self.told(connection).len();
        message::handle(&self.message, said(self.tenant, role, subject, connection, &what)).await.unwrap();
        self.told(connection).split_off(before)
    }

    pub async fn owner_says(&self, connection: &str, what: Value) -> Vec<Value> {
        self.says(Role::Owner, "boss", connection, what).await
    }

    pub async fn ends(&self, connection: &str) {
        let said = said(self.tenant, Role::Owner, "boss", connection, &json!({}));
        disconnect::handle(&self.table, said).await.unwrap();
    }

    /// All that a connection was told.
    pub fn told(&self, connection: &str) -> Vec<Value> {
        let kept = self.kept.lock().unwrap();
        kept.sent.iter().filter(|(to, _)| to == connection).map(|(_, message)| message.clone()).collect()
    }

    /// The numbers of the events that a connection got of a channel, in order.
    pub fn numbers(&self, connection: &str, channel: &str) -> Vec<u64> {
        let told = self.told(connection).into_iter();
        told.filter(|message| message["type"] == "event" && message["channel"] == channel)
            .map(|message| message["number"].as_u64().unwrap())
            .collect()
    }

    /// The numbers of a channel as they are stored, and their events.
    pub async fn entries(&self, channel: &str) -> Vec<Entry> {
        let all = key::live_entries(self.tenant, &named(channel), 1, LAST);
        self.table.clone().consistent().list_all(&all).await.unwrap()
    }

    pub async fn listener(&self, connection: &str) -> Option<Listener> {
        self.table.find_now(key::listener(self.tenant, connection)).await.unwrap()
    }

    pub async fn subscription(&self, channel: &str, connection: &str) -> Option<Subscription> {
        self.table.find_now(key::subscription(self.tenant, &named(channel), connection)).await.unwrap()
    }

    pub async fn presence(&self, subject: &str) -> Option<Presence> {
        self.table.find_now(key::presence(self.tenant, subject)).await.unwrap()
    }
}

pub fn named(channel: &str) -> Channel {
    channel.parse().unwrap()
}

pub fn subscribe(channel: &str, since: u64) -> Value {
    json!({ "action": "subscribe", "channel": channel, "since": since })
}

/// 1, 2, 3, …
pub fn up_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}
