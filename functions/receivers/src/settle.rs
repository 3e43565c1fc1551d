//! Brings what is known of a receiver to its row and its endpoint, and tells what has changed.
//!
//! The row is written first, with the notices that it takes; then the endpoint is held, opened or paced; then the notices
//! are given. Whoever is killed in between is made up for by the next look: it gives the notices of the row again, which
//! are the same notices, and brings the endpoint to where the row says, wherever it was left.

use jiff::Timestamp;
use shared::{
    Result,
    endpoint::{
        Endpoint,
        State::{Active, Degraded, Disabled, Held},
    },
    id::TenantId,
    key, notice,
    queue::Queue,
    receiver::Receiver,
    table::{Created, Table},
};

use deliveries::turn;

/// Where it is brought to.
#[derive(Clone, Copy)]
pub struct Reach<'a> {
    /// The table.
    pub table: &'a Table,
    /// For the message that has an opened endpoint drained.
    pub queue: &'a Queue,
}

/// Writes down what is known now and does what follows. Nothing where somebody else has written meanwhile.
pub async fn settle(
    reach: Reach<'_>,
    endpoint: &Endpoint,
    before: &Receiver,
    mut after: Receiver,
    now: Timestamp,
) -> Result<()> {
    tell(reach.table, before).await?;
    let hold = is_to_be_held(endpoint, before, &mut after, now);
    after.revision = before.revision + 1;
    if !write(reach.table, before, &after).await? {
        return Ok(());
    }
    turn(reach, endpoint, &after, hold, now).await?;
    tell(reach.table, &after).await
}

/// Opens an endpoint that nobody watches any more, and forgets what was seen of its receiver.
pub async fn release(reach: Reach<'_>, endpoint: &Endpoint, row: Option<&Receiver>, now: Timestamp) -> Result<bool> {
    if let Some(row) = row {
        tell(reach.table, row).await?;
    }
    let held = turn::is_held_for_receiver(endpoint);
    let blank = Receiver::unseen(endpoint.tenant, endpoint.id, String::new(), now);
    turn(reach, endpoint, &blank, false, now).await?;
    if row.is_some() {
        reach.table.delete(key::receiver(endpoint.tenant, endpoint.id)).await?;
    }
    Ok(held)
}

/// Opens all endpoints of a tenant that are held for their receivers, and forgets what was seen of these. How many were
/// opened.
pub async fn release_all(reach: Reach<'_>, tenant: TenantId, now: Timestamp) -> Result<u32> {
    let (endpoints, rows) = known(reach.table, tenant).await?;
    let mut opened = 0;
    for endpoint in &endpoints {
        let row = rows.iter().find(|row| row.endpoint == endpoint.id);
        opened += u32::from(release(reach, endpoint, row, now).await?);
    }
    Ok(opened)
}

/// All endpoints of a tenant, and all that is known of what stands behind them.
pub async fn known(table: &Table, tenant: TenantId) -> Result<(Vec<Endpoint>, Vec<Receiver>)> {
    let (subscribers, targets, receivers) = (key::endpoints(tenant), key::targets(tenant), key::receivers(tenant));
    let (mut endpoints, targets, receivers) =
        tokio::try_join!(table.list_all(&subscribers), table.list_all(&targets), table.list_all(&receivers))?;
    endpoints.extend(targets);
    Ok((endpoints, receivers))
}

/// Whether the endpoint should be held for what is known. A person who has opened it since it was held for the same
/// reason is believed.
fn is_to_be_held(endpoint: &Endpoint, before: &Receiver, after: &mut Receiver, now: Timestamp) -> bool {
    let full = |receiver: &Receiver| receiver.fill.pace().is_none();
    let kind = |receiver: &Receiver| receiver.trouble.map(|trouble| trouble.kind);
    let same = kind(before) == kind(after) && full(before) == full(after);
    let opened_since = before.held_at.is_some_and(|held| endpoint.opened_at.is_some_and(|opened| opened > held));
    let (hold, held_at) = match endpoint.state {
        _ if !after.holds() => (false, None),
        Active | Degraded if same && opened_since => (false, before.held_at),
        Active | Degraded => (true, Some(now)),
        Held if turn::is_held_for_receiver(endpoint) => (true, before.held_at.or(Some(now))),
        // It is closed for another reason, and stays what it is.
        Held | Disabled => (false, None),
    };
    after.held_at = held_at;
    hold
}

async fn write(table: &Table, before: &Receiver, after: &Receiver) -> Result<bool> {
    match before.revision {
        0 => Ok(matches!(table.create(after).await?, Created::New)),
        seen => table.replace(after, "revision", seen).await,
    }
}

/// Holds, opens or paces the endpoint, where it is not so already.
async fn turn(reach: Reach<'_>, listed: &Endpoint, known: &Receiver, hold: bool, now: Timestamp) -> Result<()> {
    let Reach { table, queue } = reach;
    let held = turn::is_held_for_receiver(listed);
    let open = matches!(listed.state, Active | Degraded);
    // Full pace comes back whatever its state is.
    let pace = known.fill.pace().filter(|pace| !known.holds() && (held || open || *pace == 100));
    if !(hold && open || pace.is_some() && (held || pace != Some(listed.pace))) {
        return Ok(());
    }
    let Some(endpoint) = table.find_now(key::endpoint(listed.tenant, listed.id)).await? else {
        return Ok(());
    };
    if hold {
        if matches!(endpoint.state, Active | Degraded) {
            turn::hold_for_receiver(table, &endpoint, &reason(known)).await?;
        }
        return Ok(());
    }
    if let Some(pace) = pace {
        // First the pace: what was kept is sent at it.
        turn::set_pace(table, &endpoint, pace).await?;
        turn::open_after_receiver(table, queue, &endpoint, &reason(known), now).await?;
    }
    Ok(())
}

/// Why, in half a sentence: what the endpoint shows.
fn reason(known: &Receiver) -> String {
    match (known.trouble, known.fill.pace()) {
        (Some(trouble), _) => format!("at Make.com, {}", known.what_is(trouble.kind)),
        (None, Some(100)) => "nothing at Make.com is in its way".into(),
        (None, _) => format!("at Make.com, {}", known.queue()),
    }
}

async fn tell(table: &Table, receiver: &Receiver) -> Result<()> {
    for told in &receiver.untold {
        let subject = receiver.endpoint.to_string();
        notice::give(table, receiver.tenant, &told.name, subject, told.detail.clone(), told.at).await?;
    }
    Ok(())
}
