//! Every minute: tells connections of their end before it comes, closes the silent ones, and forgets the dead.

use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing, Tick},
    key,
    listener::{END_TOLD, IDLE_TOLD, Listener},
    socket::{Reached, Sockets},
    table::{Listed, Table},
};

use crate::{
    leave::leave,
    told::{Reason, Told},
};

/// A run takes so many: the next run takes the rest.
const MOST: u16 = 500;
/// So many are worked on at the same time.
const AT_ONCE: usize = 16;

/// What sweeping needs.
pub struct Deps {
    /// The table.
    pub table: Table,
    /// The connections.
    pub sockets: Sockets,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { table: aws.table()?, sockets: aws.sockets()? })
    }
}

/// What a run did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Connections that were told of their end.
    pub told: u32,
    /// Connections that were removed.
    pub removed: u32,
}

enum Done {
    Told,
    Removed,
    Nothing,
}

/// May run twice at the same time: a client is then told twice.
pub async fn handle(deps: &Deps, _: Tick) -> Result<Swept> {
    at(deps, Timestamp::now()).await
}

/// The same at a given time. A connection that fails does not keep the others waiting.
pub async fn at(deps: &Deps, now: Timestamp) -> Result<Swept> {
    let due = deps.table.list_index(&key::listeners_by(now), MOST).await?;
    let outcomes = stream::iter(due)
        .map(|listed| async move {
            look_after(deps, &listed, now)
                .await
                .inspect_err(|error| tracing::warn!(entry = ?listed, error = ?error, "not looked after"))
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;

    let mut swept = Swept::default();
    let mut failure = None;
    for outcome in outcomes {
        match outcome {
            Ok(Done::Told) => swept.told += 1,
            Ok(Done::Removed) => swept.removed += 1,
            Ok(Done::Nothing) => {}
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(swept),
    }
}

async fn look_after(deps: &Deps, listed: &Listed, now: Timestamp) -> Result<Done> {
    let (Some(tenant), Some(connection)) = (listed.tenant(), listed.id::<String>()) else {
        return Ok(Done::Nothing);
    };
    let Some(listener) = deps.table.find_now(key::listener(tenant, &connection)).await? else {
        return Ok(Done::Nothing);
    };
    if now >= listener.expires_at() || now >= listener.idle_at() {
        deps.sockets.close(&connection).await?;
        return remove(deps, &listener).await;
    }
    if now >= listener.expires_at() - END_TOLD && !listener.end_told {
        let reason = if listener.ends_by_token() { Reason::TokenExpired } else { Reason::TwoHours };
        return tell(deps, listener, reason).await;
    }
    if now >= listener.heard_at + IDLE_TOLD && !listener.knows_silence() {
        return tell(deps, listener, Reason::Idle).await;
    }
    Ok(Done::Nothing)
}

/// Told first and noted then: who is killed between tells twice.
async fn tell(deps: &Deps, mut listener: Listener, reason: Reason) -> Result<Done> {
    let (closes_at, detail) = match reason {
        Reason::TwoHours => {
            (listener.expires_at(), "a connection lasts two hours: open another one and subscribe with since")
        }
        Reason::TokenExpired => (
            listener.expires_at(),
            "your token ends: open another connection with a fresh one and subscribe with since",
        ),
        Reason::Idle => (listener.idle_at(), "say something to stay"),
    };
    let closing = Told::Closing { reason, closes_at, detail }.text()?;
    if deps.sockets.post(&listener.connection, &closing).await? == Reached::Gone {
        return remove(deps, &listener).await;
    }
    match reason {
        Reason::TwoHours | Reason::TokenExpired => listener.end_told = true,
        Reason::Idle => listener.silence_told = Some(listener.heard_at),
    }
    deps.table
        .change::<Listener>(key::listener(listener.tenant, &listener.connection))
        .set("end_told", listener.end_told)
        .set_or_remove("silence_told", listener.silence_told)
        .index(Some(key::listeners_by(listener.next_look())))
        // Somebody spoke in the meantime: then the row is where it belongs, and is looked at again.
        .when("heard_at", listener.heard_at)
        .send()
        .await?;
    Ok(Done::Told)
}

async fn remove(deps: &Deps, listener: &Listener) -> Result<Done> {
    leave(&deps.table, listener.tenant, &listener.connection).await?;
    Ok(Done::Removed)
}
