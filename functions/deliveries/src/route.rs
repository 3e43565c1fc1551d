//! Stream of the table: for each new event, a delivery to every endpoint that wants it.

use std::time::Duration;

use shared::{
    Result,
    boot::{Aws, Changed, Missing},
    delivery::{Delivery, State},
    endpoint::Endpoint,
    event::Event,
    key,
    queue::Queue,
    table::{Created, Table},
};

/// What routing needs.
pub struct Deps {
    /// The table.
    pub table: Table,
    /// Deliveries to be tried.
    pub queue: Queue,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { table: aws.table()?, queue: aws.queue("DELIVERY_QUEUE_URL")? })
    }
}

/// May see a record twice: the delivery of an event to an endpoint has one key.
pub async fn handle(deps: &Deps, changed: Changed) -> Result<()> {
    let Some(event) = changed.made::<Event>()? else {
        return Ok(());
    };

    for endpoint in recipients(&deps.table, &event).await? {
        let delivery = Delivery::of(&event, &endpoint);
        let delivery = match deps.table.create(&delivery).await? {
            Created::New => delivery,
            // Killed before its message was sent, perhaps. One message too many does no harm.
            Created::Was(earlier) => *earlier,
        };
        if delivery.state == State::Pending && delivery.attempts == 0 {
            deps.queue.send(&delivery.job(), Duration::ZERO).await?;
        }
    }
    Ok(())
}

async fn recipients(table: &Table, event: &Event) -> Result<Vec<Endpoint>> {
    if let Some(named) = event.to {
        return Ok(table.find_now(key::endpoint(event.tenant, named)).await?.into_iter().collect());
    }
    let mut all = table.list_all(&key::endpoints(event.tenant)).await?;
    all.retain(|endpoint| endpoint.wants(&event.event_type));
    Ok(all)
}
