//! A tenant with one endpoint, a receiver, and a clock that the test moves.

use deliveries::{
    jobs, route,
    send::{self, Deps, Sender},
    sweep,
};
use endpoints::create;
use jiff::{SignedDuration, Timestamp};
use local::standin::{self, Control};
use serde_json::{Value, json};
use shared::{
    Result,
    boot::Changed,
    delivery::{Attempt, Delivery, Job},
    egress::Egress,
    endpoint::Endpoint,
    event::{self, Content, Event, Origin},
    gate::{Gate, Role},
    id::{EndpointId, TenantId},
    job::Page,
    key,
    notice::Notice,
    queue::{Kept, Queue},
    table::Table,
    testing::{person, table, told, vault},
    trace::TraceId,
};

/// Where the receiver listens.
pub const HOOK: &str = "/hook.eu1.make.com/bookings";

pub struct World {
    pub table: Table,
    pub tenant: TenantId,
    pub endpoint: EndpointId,
    pub secret: String,
    pub receiver: Control,
    pub queue: Queue,
    pub kept: Kept,
    pub jobs: Queue,
    pub kept_pages: Kept,
    pub deps: Deps,
    pub now: Timestamp,
}

impl World {
    pub async fn new() -> Self {
        Self::on(table().await).await
    }

    pub async fn on(table: Table) -> Self {
        let receiver = standin::spawn().await.expect("the stand-in starts");
        let tenant = TenantId::new();
        let egress = Egress::new(&receiver.base, "");
        let deps = create::Deps {
            gate: Gate::new(table.clone()),
            table: table.clone(),
            vault: vault(),
            egress: egress.clone(),
            mails: false,
        };
        let call = person(tenant, Role::Owner).posting(&json!({
            "name": "Make",
            "url": receiver.url(HOOK),
            "make_api_key": "key-of-the-hook",
        }));
        let (status, made) = told(create::handle(&deps, call).await);
        assert_eq!(status, 201, "{made}");
        let (queue, kept) = Queue::kept();
        let (jobs, kept_pages) = Queue::kept();
        Self {
            deps: Deps::new(
                table.clone(),
                queue.clone(),
                vault(),
                egress,
                Sender { stage: "test".into(), ..Sender::default() },
            ),
            endpoint: made["data"]["endpoint"]["id"].as_str().unwrap().parse().unwrap(),
            secret: made["data"]["signing_secret"].as_str().unwrap().into(),
            table,
            tenant,
            receiver,
            queue,
            kept,
            jobs,
            kept_pages,
            now: Timestamp::now(),
        }
    }

    /// Accepts an event and has it routed, as the stream would.
    pub async fn accept(&self, name: &str) -> Event {
        let event = self.event(name);
        let (event, _) = event::accept(&self.table, event).await.unwrap();
        self.route(&event).await.unwrap();
        event
    }

    /// An event that nobody has stored yet.
    pub fn event(&self, name: &str) -> Event {
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

    pub async fn route(&self, event: &Event) -> Result<()> {
        let deps = route::Deps { table: self.table.clone(), queue: self.queue.clone() };
        route::handle(&deps, Changed::making(event)).await
    }

    /// Works on everything that is due by then, moving the clock to each message's time.
    pub async fn run_until(&mut self, end: Timestamp) {
        let mut due: Vec<(Timestamp, Value, bool)> = Vec::new();
        loop {
            for (kept, is_page) in [(&self.kept, false), (&self.kept_pages, true)] {
                let sent = std::mem::take(&mut *kept.lock().unwrap());
                due.extend(
                    sent.into_iter().map(|(message, delay)| {
                        (self.now + SignedDuration::try_from(delay).unwrap(), message, is_page)
                    }),
                );
            }
            due.sort_by_key(|(at, ..)| *at);
            if due.first().is_none_or(|(at, ..)| *at > end) {
                // Nothing is under way: the sweep may find something, minute by minute.
                let next = self.now + SignedDuration::from_mins(1);
                if next > end {
                    break;
                }
                if due.first().is_none_or(|(at, ..)| *at > next) {
                    self.now = next;
                    self.sweep().await;
                    continue;
                }
            }
            let (at, message, is_page) = due.remove(0);
            while self.now + SignedDuration::from_mins(1) < at {
                self.now += SignedDuration::from_mins(1);
                self.sweep().await;
            }
            self.now = self.now.max(at);
            if is_page {
                self.turn(serde_json::from_value(message).unwrap()).await.unwrap();
            } else {
                self.work(serde_json::from_value(message).unwrap()).await.unwrap();
            }
        }
        self.now = end;
        for (at, message, is_page) in due {
            let kept = if is_page { &self.kept_pages } else { &self.kept };
            kept.lock().unwrap().push((message, at.duration_since(end).unsigned_abs()));
        }
    }

    /// The same for so long from now.
    pub async fn run_for(&mut self, time: SignedDuration) {
        self.run_until(self.now + time).await;
    }

    pub async fn work(&self, job: Job) -> Result<()> {
        send::handle_at(&self.deps, job, self.now).await
    }

    /// One page of a job.
    pub async fn turn(&self, page: Page) -> Result<()> {
        let deps = jobs::work::Deps::new(self.table.clone(), self.queue.clone(), self.jobs.clone());
        jobs::work::handle_at(&deps, page, self.now).await
    }

    /// The pages that were sent and not worked on.
    pub fn pages(&self) -> Vec<Page> {
        let sent = std::mem::take(&mut *self.kept_pages.lock().unwrap());
        sent.into_iter().map(|(page, _)| serde_json::from_value(page).unwrap()).collect()
    }

    pub async fn sweep(&self) -> u32 {
        let deps = sweep::Deps { table: self.table.clone(), queue: self.queue.clone(), jobs: self.jobs.clone() };
        sweep::at(&deps, self.now).await.unwrap().queued
    }

    /// The messages that were sent and not worked on.
    pub fn messages(&self) -> Vec<Job> {
        let sent = std::mem::take(&mut *self.kept.lock().unwrap());
        sent.into_iter().map(|(message, _)| serde_json::from_value(message).unwrap()).collect()
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

    pub async fn attempts(&self) -> Vec<Attempt> {
        let id = self.delivery().await.id;
        self.table.list_all(&key::attempts(self.tenant, id)).await.unwrap()
    }

    pub async fn endpoint(&self) -> Endpoint {
        self.table.get(key::endpoint(self.tenant, self.endpoint)).await.unwrap()
    }

    pub async fn notices(&self) -> Vec<String> {
        let all: Vec<Notice> = self.table.list_all(&key::notices(self.tenant)).await.unwrap();
        all.into_iter().map(|notice| notice.name).collect()
    }

    pub async fn received(&self) -> usize {
        self.receiver.requests(HOOK).await.unwrap().len()
    }
}
