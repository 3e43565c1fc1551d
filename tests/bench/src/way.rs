//! What one event takes in capacity units, from the door to the log: each function's own code, a table that counts.
//!
//! Stands alone: the run of chaos includes this file, too.

use axum::{Router, routing::post};
use bookings::receive;
use deliveries::{route, send};
use endpoints::create;
use jiff::Timestamp;
use live::{follow, pump::Pump};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    boot::Changed,
    delivery::{Job, State},
    egress::Egress,
    event::Event,
    gate::{Gate, Role},
    id::TenantId,
    key,
    listener::{Listener, Subscription},
    live::{Channel, head},
    queue::{Kept, Queue},
    socket::Sockets,
    table::Table,
    testing::{Units, api_key, machine, person, table, told, vault},
};

use crate::Result;

/// Write units and read units.
type Used = (f64, f64);

/// The parts of the way, of an update of a booking that is known.
pub struct Way {
    /// From the webhook to its 202: with the key and the limit.
    pub door: Used,
    /// From the stored event to its delivery.
    pub routed: Used,
    /// From the delivery to the logged success, with context from what is kept.
    pub sent: Used,
    /// What it says is kept, and it has its number in five channels, none of which anybody follows.
    pub numbered: Used,
    /// On top of that, for one who follows the tenant's channel.
    pub pushed: Used,
}

impl Way {
    /// All of it, with nobody who follows.
    pub fn whole(&self) -> Used {
        let parts = [self.door, self.routed, self.sent, self.numbered];
        (parts.iter().map(|part| part.0).sum(), parts.iter().map(|part| part.1).sum())
    }
}

struct Desk {
    units: Units,
    /// The same table, for looking: it counts nothing.
    aside: Table,
    tenant: TenantId,
    key: SecretString,
    kept: Kept,
    receive: receive::Deps,
    route: route::Deps,
    send: send::Deps,
    follow: follow::Deps,
}

/// Sends updates of one booking down the way: what the third of them takes, and the fifth with somebody who follows.
pub async fn measure() -> Result<Way> {
    let desk = Desk::open().await?;
    for n in 0..2 {
        desk.update(n).await?;
    }
    let [door, routed, numbered, sent] = desk.update(2).await?;
    let listener = Listener::opened(desk.tenant, "connection", "owner", Timestamp::now());
    let last = head(&desk.aside, desk.tenant, &Channel::Tenant).await?;
    desk.aside.put(&Subscription::begun(&listener, &Channel::Tenant, last, "ended", 0)).await?;
    desk.update(3).await?;
    let [_, _, followed, _] = desk.update(4).await?;
    let pushed = (followed.0 - numbered.0, followed.1 - numbered.1);
    Ok(Way { door, routed, sent, numbered, pushed })
}

impl Desk {
    async fn open() -> Result<Self> {
        let (aside, units, tenant) = (table().await, Units::default(), TenantId::new());
        let table = aside.clone().metered(units.meter());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let hook = Router::new().route("/hook", post(async |_: axum::body::Bytes| "Accepted"));
        tokio::spawn(async move { axum::serve(listener, hook).await });
        let egress = Egress::new(&origin, "");

        let deps = create::Deps {
            gate: Gate::new(aside.clone()),
            table: aside.clone(),
            vault: vault(),
            egress: egress.clone(),
            mails: false,
        };
        let wanted = json!({ "name": "Make", "url": format!("{origin}/hook") });
        let (status, made) = told(create::handle(&deps, person(tenant, Role::Owner).posting(&wanted)).await);
        if status != 201 {
            return Err(format!("no endpoint: {status} {made}").into());
        }
        let (queue, kept) = Queue::kept();
        let sender = send::Sender {
            stage: "dev".into(),
            public_url: "https://api.example.com".into(),
            ..send::Sender::default()
        };
        let pump = Pump { table: table.clone().consistent(), sockets: Sockets::kept().0, stage: "dev".into() };
        Ok(Self {
            key: api_key(&aside, tenant).await,
            receive: receive::Deps { gate: Gate::new(table.clone()), table: table.clone() },
            route: route::Deps { table: table.clone(), queue: queue.clone() },
            send: send::Deps::new(table.clone(), queue, vault(), egress, sender),
            follow: follow::Deps::new(pump),
            units,
            aside,
            tenant,
            kept,
        })
    }

    /// One update of the booking, all the way: what door, routing, numbering and sending took.
    async fn update(&self, n: usize) -> Result<[Used; 4]> {
        self.units.take();
        let (status, answer) = told(receive::handle(&self.receive, machine(&self.key).posting(&change(n))).await);
        let door = self.units.take();
        let id = answer["data"]["event_id"].as_str().or(answer["event_id"].as_str());
        let id = id.ok_or_else(|| format!("not taken: {status} {answer}"))?;
        let event: Event = self.aside.get(key::event(self.tenant, id.parse()?)).await?;

        route::handle(&self.route, Changed::making(&event)).await?;
        let routed = self.units.take();
        follow::handle(&self.follow, vec![Changed::making(&event)]).await?;
        let numbered = self.units.take();
        let messages = std::mem::take(&mut *self.kept.lock().map_err(|_| "a queue of a panicked thread")?);
        for (message, _) in messages {
            let job: Job = serde_json::from_value(message)?;
            send::handle_at(&self.send, job.clone(), Timestamp::now()).await?;
            let sent = self.units.take();
            let Job::Deliver { delivery, .. } = job else { continue };
            let after = self.aside.get(key::delivery(self.tenant, delivery)).await?;
            return match after.state {
                State::Delivered => Ok([door, routed, numbered, sent]),
                state => Err(format!("a delivery is {state:?}: {:?}", after.last).into()),
            };
        }
        Err("an event without a delivery".into())
    }
}

/// The change of a booking, of about a kilobyte, as the database's webhook tells it.
fn change(n: usize) -> Value {
    let notes = "Second visit; the gate code has changed, please call ahead. The boiler is in the cellar. ".repeat(4);
    json!({
        "type": "UPDATE", "table": "bookings", "schema": "public", "old_record": null,
        "record": {
            "id": "7d0f1c1a-52d7-4a57-9c3f-000000000001", "booking_number": "B-2026-000001", "status": "confirmed",
            "user_id": "a6a3a1de-7cf4-4a0b-8f53-6b7d2a9c3e10", "client_id": "5f1d7a60-3a1e-4b6e-9d1c-2f8f0a4f6c11",
            "provider_id": "c0a8f7d2-8d7e-4a55-b9b2-0d9b4c1e7f42", "total_price": 149.9, "notes": notes,
            "updated_at": format!("2026-11-21T10:00:{n:02}+00:00"),
        },
    })
}
