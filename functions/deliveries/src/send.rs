//! Queue of deliveries: makes the next attempt of each, and looks after endpoints.

mod attempt;
mod check;
mod gone;
mod health;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use shared::{
    Result,
    boot::{Aws, Missing},
    delivery::{Delivery, GRACE, Job, State},
    egress::Egress,
    endpoint::Endpoint,
    event::Form,
    id::{DeliveryId, EndpointId, TenantId},
    key,
    limit::{Drawn, Limits, Rate},
    mail::Mail,
    metrics,
    queue::Queue,
    secrets::Vault,
    table::Table,
};
use tracing::Instrument;

/// How long a process believes what it has read of an endpoint.
const BELIEVE: Duration = Duration::from_secs(5);

/// What sending needs.
pub struct Deps {
    table: Table,
    queue: Queue,
    vault: Vault,
    egress: Egress,
    mail: Mail,
    stage: String,
    public_url: String,
    limits: Limits,
    endpoints: Mutex<HashMap<EndpointId, (Endpoint, Instant)>>,
}

/// Who sends, as receivers are told.
#[derive(Default)]
pub struct Sender {
    /// The environment of an event.
    pub stage: String,
    /// The address of our API, for links that come back; none where it is empty.
    pub public_url: String,
    /// The way out by e-mail.
    pub mail: Mail,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        let queue = aws.queue("DELIVERY_QUEUE_URL")?;
        let sender = Sender { stage: aws.setting("STAGE"), public_url: aws.setting("PUBLIC_URL"), mail: aws.mail() };
        Ok(Self::new(aws.table()?, queue, aws.vault()?, aws.egress()?, sender))
    }

    /// With what it is given.
    pub fn new(table: Table, queue: Queue, vault: Vault, egress: Egress, sender: Sender) -> Self {
        let Sender { stage, public_url, mail } = sender;
        let (limits, endpoints) = (Limits::default(), Mutex::default());
        Self { table, queue, vault, egress, mail, stage, public_url, limits, endpoints }
    }

    /// The endpoint, perhaps as it was a moment ago.
    async fn endpoint(&self, tenant: TenantId, id: EndpointId) -> Result<Option<Endpoint>> {
        let known = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some((endpoint, at)) = known
            && at.elapsed() < BELIEVE
        {
            return Ok(Some(endpoint));
        }
        let found = self.table.find(key::endpoint(tenant, id)).await?;
        if let Some(endpoint) = &found {
            let mut known = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(id, (endpoint.clone(), Instant::now()));
        }
        Ok(found)
    }

    /// Forgets what is known of an endpoint, for it has changed.
    fn forget(&self, id: EndpointId) {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// One message. A repeated or late one finds its attempt made and does nothing.
///
/// Bad weather ends here: the due-time index brings back what could not be done, however long it lasts. Only what kills
/// its worker or can never work goes the way of the dead letters.
pub async fn handle(deps: &Deps, job: Job) -> Result<()> {
    match handle_at(deps, job.clone(), Timestamp::now()).await {
        Err(error) if error.is_transient() => {
            metrics::count("DeliveriesDeferred", 1);
            tracing::warn!(job = ?job, error = ?error, "put off until the sweep brings it again: {error}");
            Ok(())
        }
        done => done,
    }
}

/// The same at a given time.
pub async fn handle_at(deps: &Deps, job: Job, now: Timestamp) -> Result<()> {
    match job {
        Job::Deliver { tenant, delivery, attempts } => deliver(deps, tenant, delivery, attempts, now).await,
        Job::Check { tenant, endpoint } => check::endpoint(deps, tenant, endpoint, now).await,
    }
}

async fn deliver(deps: &Deps, tenant: TenantId, id: DeliveryId, attempts: u32, now: Timestamp) -> Result<()> {
    let Some(delivery) = awaited(&deps.table, tenant, id, attempts).await? else {
        return Ok(());
    };
    let endpoint = match deps.endpoint(tenant, delivery.endpoint).await? {
        Some(endpoint) => endpoint,
        // A new one may not be on every replica yet.
        None => match deps.table.find_now(key::endpoint(tenant, delivery.endpoint)).await? {
            Some(endpoint) => endpoint,
            None => return attempt::abandon(deps, &delivery, now).await,
        },
    };
    if endpoint.state.parks() {
        return park(&deps.table, &delivery).await;
    }
    if let Drawn::Wait(ms) = draw(deps, &endpoint, now).await? {
        return postpone(deps, &delivery, Duration::from_millis(ms.unsigned_abs()), now).await;
    }
    let span = tracing::info_span!("deliver", tenant.id = %tenant, delivery.id = %id, trace_id = %delivery.trace);
    attempt::make(deps, &delivery, &endpoint, attempt::due(&delivery), now).instrument(span).await?;
    Ok(())
}

/// Whether the endpoint may be sent one more. Anybody's address can be named, and in several endpoints: all e-mail of a tenant
/// together has the pace of one.
async fn draw(deps: &Deps, endpoint: &Endpoint, now: Timestamp) -> Result<Drawn> {
    let draw =
        async |who: &str, rate| deps.limits.draw(&deps.table, endpoint.tenant, who, rate, now.as_millisecond()).await;
    match endpoint.form {
        Form::Email => draw("mail", Rate::MAIL).await,
        _ => draw(&endpoint.id.to_string(), Rate::MAKE.slowed(endpoint.pace)).await,
    }
}

/// The delivery, if it still waits for this very attempt. A stale reading is read again before it is believed.
async fn awaited(table: &Table, tenant: TenantId, id: DeliveryId, attempts: u32) -> Result<Option<Delivery>> {
    let waits = |delivery: &Delivery| delivery.state == State::Pending && delivery.attempts == attempts;
    match table.find(key::delivery(tenant, id)).await? {
        Some(delivery) if waits(&delivery) => Ok(Some(delivery)),
        _ => Ok(table.find_now(key::delivery(tenant, id)).await?.filter(waits)),
    }
}

/// It waits until its endpoint is opened.
async fn park(table: &Table, delivery: &Delivery) -> Result<()> {
    table
        .change(key::delivery(delivery.tenant, delivery.id))
        .set("state", State::Parked)
        .remove("due_at")
        .index(Some(key::parked(delivery.tenant, delivery.endpoint, delivery.id)))
        .when("state", State::Pending)
        .when("attempts", delivery.attempts)
        .send()
        .await?;
    Ok(())
}

/// The endpoint has had enough for now: the same attempt a little later.
async fn postpone(deps: &Deps, delivery: &Delivery, by: Duration, now: Timestamp) -> Result<()> {
    // Spread over half a minute, or all that is too much would come back at the same moment, again and again.
    let by = by.max(Duration::from_secs(1)) + Duration::from_secs_f64(30.0 * rand::random::<f64>());
    let due = now + SignedDuration::try_from(by).unwrap_or(SignedDuration::from_secs(2));
    let moved = deps
        .table
        .change(key::delivery(delivery.tenant, delivery.id))
        .set("due_at", due)
        .index(Some(key::due(delivery.id.as_bytes(), due + GRACE)))
        .when("state", State::Pending)
        .when("attempts", delivery.attempts)
        // Of several messages for one attempt one goes on.
        .when("due_at", delivery.due_at)
        .send()
        .await?;
    match moved {
        Some(delivery) => deps.queue.send(&delivery.job(), by).await,
        None => Ok(()),
    }
}
