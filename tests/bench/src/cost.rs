//! What an event costs in capacity units, counted by the table itself.

use deliveries::{route, send};
use jiff::Timestamp;
use shared::{
    boot::Changed,
    delivery::Job,
    event::{self, Event},
    key,
    queue::{Kept, Queue},
    table::Table,
    testing::Units,
};

use crate::{Result, business::Business, cloud::Cloud};

/// Write units, and (write units, read units).
pub struct Cost {
    /// Bytes of what is delivered.
    pub bytes: usize,
    /// To accept an event.
    pub accepted: f64,
    /// Whether it was recognised when it came again.
    pub stored_once: bool,
    /// From the stored event to the logged success, with one endpoint.
    pub delivered: (f64, f64),
}

/// The functions' own code in this process.
struct Line<'a> {
    cloud: &'a Cloud,
    table: Table,
    route: route::Deps,
    send: send::Deps,
    kept: Kept,
}

/// Accepts and delivers.
pub async fn measure(cloud: &Cloud) -> Result<Cost> {
    let business = Business::open(cloud, &cloud.plain_receiver, 1, 0).await?;
    let units = Units::default();
    let table = cloud.table.clone().metered(units.meter());
    let (queue, kept) = Queue::kept();
    let line = Line {
        cloud,
        route: route::Deps { table: table.clone(), queue: queue.clone() },
        send: send::Deps::new(
            table.clone(),
            queue,
            cloud.vault.clone(),
            cloud.egress.clone(),
            send::Sender { stage: "dev".into(), ..send::Sender::default() },
        ),
        table,
        kept,
    };
    // The first delivery also leases the pace and reads the endpoint; the second is the rule.
    let warm = business.event();
    event::accept(&line.table, warm.clone()).await?;
    line.deliver(&warm).await?;
    units.take();

    let event = business.event();
    event::accept(&line.table, event.clone()).await?;
    let (accepted, _) = units.take();
    let (_, stored_once) = event::accept(&line.table, event.clone()).await?;
    units.take();
    line.deliver(&event).await?;
    let delivered = units.take();
    let bytes = event.payload("dev", &event::Context::default(), None)?.len();
    Ok(Cost { bytes, accepted, stored_once, delivered })
}

impl Line<'_> {
    async fn deliver(&self, event: &Event) -> Result<()> {
        route::handle(&self.route, Changed::making(event)).await?;
        let sent = std::mem::take(&mut *self.kept.lock().map_err(|_| "a queue of a panicked thread")?);
        for (message, _) in sent {
            let job: Job = serde_json::from_value(message)?;
            send::handle_at(&self.send, job.clone(), Timestamp::now()).await?;
            let Job::Deliver { tenant, delivery, .. } = job else { continue };
            let after = self.cloud.table.get(key::delivery(tenant, delivery)).await?;
            if after.state != shared::delivery::State::Delivered {
                return Err(format!("a delivery is {:?}: {:?}", after.state, after.last).into());
            }
        }
        Ok(())
    }
}
