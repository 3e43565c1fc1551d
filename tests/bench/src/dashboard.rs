//! What dashboards cost in capacity units: a KPI answer and the folding behind it, at several numbers of events.

use dashboard::{
    aggregate::{self, Period},
    ingest, kpi,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::{
    gate::Role,
    id::TenantId,
    key,
    snapshot::{Cell, Scope, Series, day_of},
    table::Table,
    tenant::{Tenant, Zone},
    testing::{Units, api_key, machine, person, told},
};

use crate::{Result, cloud::Cloud};

/// The most events of one call.
const PAGE: usize = 500;
/// Events fall into so many hours before now: less than a day, after which messages without an outcome are given up, and
/// their hours are folded once more.
const HOURS: usize = 20;
const AGENTS: usize = 4;
/// Every count is doubled so often, to see what a thousand times the events would cost.
pub const DOUBLED: u32 = 10;
const LEASE: SignedDuration = SignedDuration::from_secs(600);
const QUESTIONS: [&str; 4] = ["range=today", "range=24h", "range=7d", "channel=whatsapp"];

/// What was seen with one number of events.
pub struct Costs {
    /// Read units of the dearest question, answered for the first time.
    pub cold: f64,
    /// The same, answered from the table's cache.
    pub cached: f64,
    /// The dearest with every count doubled [`DOUBLED`] times.
    pub cold_of_many: f64,
    /// (write units, read units) to fold all events, for the first time.
    pub folded: (f64, f64),
    /// The same again, with nothing new.
    pub again: (f64, f64),
    /// The same after one late event.
    pub late: (f64, f64),
}

struct Desk {
    table: Table,
    units: Units,
    tenant: TenantId,
    now: Timestamp,
}

/// Reports so many events, folds them, and asks.
pub async fn measure(cloud: &Cloud, events: usize) -> Result<Costs> {
    let units = Units::default();
    let desk = Desk {
        table: cloud.table.clone().metered(units.meter()),
        units,
        tenant: TenantId::new(),
        now: "2026-11-21T22:00:00Z".parse()?,
    };
    let tenant = Tenant { id: desk.tenant, name: "Marina".into(), time_zone: Zone::UTC, created_at: desk.now };
    desk.table.put(&tenant).await?;
    desk.report((0..events).map(|n| desk.event(n)).collect()).await?;

    let folded = desk.fold(1).await?;
    let again = desk.fold(2).await?;
    let (cold, cached) = desk.ask(desk.now).await?;
    let mut late = desk.event(events);
    late["occurred_at"] = json!(desk.now - SignedDuration::from_hours(10));
    desk.report(vec![late]).await?;
    let late = desk.fold(3).await?;
    desk.double().await?;
    // Later, so that nothing of before is still cached.
    let (cold_of_many, _) = desk.ask(desk.now + SignedDuration::from_mins(5)).await?;
    Ok(Costs { cold, cached, cold_of_many, folded, again, late })
}

impl Desk {
    /// Conversations of ten messages each, a customer and an agent in turn.
    fn event(&self, n: usize) -> Value {
        let conversation = n / 10;
        let hour = conversation % HOURS;
        let at = self.now - SignedDuration::from_hours(hour as i64 + 1)
            + SignedDuration::from_secs((n % 10 * 97 + conversation % 60) as i64);
        let agent = format!("agent-{}", conversation % AGENTS);
        let mut event = json!({
            "id": format!("e{n}"),
            "occurred_at": at,
            "channel": if conversation.is_multiple_of(2) { "whatsapp" } else { "webchat" },
            "conversation_id": format!("c{conversation}"),
        });
        if n.is_multiple_of(2) {
            event["type"] = json!("message.inbound");
        } else {
            event["type"] = json!("message.outbound");
            event["author"] = json!("agent");
            event["agent_id"] = json!(agent);
            event["team"] = json!("north");
        }
        event
    }

    async fn report(&self, events: Vec<Value>) -> Result<()> {
        let key = api_key(&self.table, self.tenant).await;
        let deps = ingest::Deps::new(self.table.clone());
        for page in events.chunks(PAGE) {
            let call = machine(&key).posting(&json!({ "events": page })).at(self.now);
            let (status, body) = told(ingest::handle(&deps, call).await);
            if status != 202 {
                return Err(format!("activity was answered {status}: {body}").into());
            }
        }
        Ok(())
    }

    /// So many minutes from now.
    async fn fold(&self, minutes: i64) -> Result<(f64, f64)> {
        self.units.take();
        let now = self.now + SignedDuration::from_mins(minutes);
        if !aggregate::one(&self.table, self.tenant, Period::Weekly, now, LEASE).await? {
            return Err("somebody else folds".into());
        }
        Ok(self.units.take())
    }

    /// The dearest question, cold and cached.
    async fn ask(&self, now: Timestamp) -> Result<(f64, f64)> {
        let mut dearest: (f64, f64) = (0.0, 0.0);
        for question in QUESTIONS {
            let mut costs = [0.0; 2];
            for cost in &mut costs {
                // A process of its own, which has leased its calls with another question.
                let deps = kpi::Deps::new(self.table.clone());
                let call = |question: &str| person(self.tenant, Role::Owner).with_query(question).at(now);
                told(kpi::handle(&deps, call("range=30d")).await);
                self.units.take();
                let (status, body) = told(kpi::handle(&deps, call(question)).await);
                if status != 200 {
                    return Err(format!("the strip was answered {status}: {body}").into());
                }
                *cost = self.units.take().1;
            }
            dearest = (dearest.0.max(costs[0]), dearest.1.max(costs[1]));
        }
        Ok(dearest)
    }

    async fn double(&self) -> Result<()> {
        let (from, to) =
            (day_of(&Zone::UTC, self.now - SignedDuration::from_hours(24 * 70)), day_of(&Zone::UTC, self.now));
        for channel in [None, Some(shared::activity::Channel::Whatsapp)] {
            let series = Series { scope: Scope::Tenant, channel };
            let mut rows = self.table.list_all(&key::totals(self.tenant, &series, from, to)).await?;
            for back in 0..4 {
                let date = day_of(&Zone::UTC, self.now - SignedDuration::from_hours(24 * back));
                rows.extend(self.table.list_all(&key::hours_of_day(self.tenant, &series, date)).await?);
            }
            if rows.is_empty() {
                return Err("there are no snapshots".into());
            }
            for mut row in rows {
                for cell in [Some(&mut row.cell), row.so_far.as_mut()].into_iter().flatten() {
                    twice(cell)?;
                }
                self.table.put(&row).await?;
            }
        }
        Ok(())
    }
}

fn twice(cell: &mut Cell) -> Result<()> {
    for _ in 0..DOUBLED {
        cell.merge(&cell.clone())?;
    }
    Ok(())
}
