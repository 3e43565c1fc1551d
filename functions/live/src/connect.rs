//! `$connect`: takes a connection in, unless its person has ten already.

use futures::future::join_all;
use jiff::SignedDuration;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    key,
    limit::{Limits, Rate},
    listener::{LONGEST, Listener, Presence, Seat},
    socket::{Reached, Said, Sockets},
    table::Table,
};

use crate::{leave::leave, pause};

/// So many connections a person may have.
pub const MOST: usize = 10;
/// Who is refused may try again after so many seconds.
const AGAIN: u64 = 60;
/// A connection that is being opened is not there yet.
const OPENING: SignedDuration = SignedDuration::from_secs(30);
/// What changes under us is read again so many times.
const TRIES: u32 = 20;
/// How often a person may connect: 60 times a minute.
const CONNECTS: Rate = Rate { burst: 60, period_ms: 60_000, fails_open: false };

/// What taking in needs.
pub struct Deps {
    /// The table.
    pub table: Table,
    /// The connections.
    pub sockets: Sockets,
    /// How often each person connects.
    pub limits: Limits,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { table: aws.table()?, sockets: aws.sockets()?, limits: Limits::default() })
    }
}

/// The connection comes about only where this succeeds. May come twice for the same one.
pub async fn handle(deps: &Deps, said: Said) -> Result<()> {
    let person = said.person.clone().of_whole_tenant()?;
    let who = format!("live/{}", person.subject);
    deps.limits.draw(&deps.table, person.tenant, &who, CONNECTS, said.now.as_millisecond()).await?.passed()?;

    let opened = Listener::opened(person.tenant, &said.connection, &person.subject, said.now);
    let listener = opened.until(said.until);
    let mut looked = false;
    for attempt in 0..TRIES {
        let presence = deps.table.find_now(listener_presence(&listener)).await?;
        let open = open_seats(presence.as_ref(), &listener);
        if open.len() >= MOST {
            // API Gateway does not tell of every connection that ends.
            if looked || !clear_out(deps, &listener, &open).await? {
                return Err(Error::TooMany { retry_after: AGAIN });
            }
            looked = true;
            continue;
        }
        if admit(&deps.table, &listener, presence.as_ref(), open).await? {
            return Ok(());
        }
        let known = deps.table.find_now(key::listener(listener.tenant, &listener.connection)).await?;
        if known.is_some() {
            return Ok(());
        }
        pause(attempt).await;
    }
    Err(Error::unavailable("table", "a person's connections change all the time"))
}

fn listener_presence(listener: &Listener) -> key::Key<Presence> {
    key::presence(listener.tenant, &listener.subject)
}

/// The connections that count: none lives longer than two hours.
fn open_seats(presence: Option<&Presence>, listener: &Listener) -> Vec<Seat> {
    let young = |seat: &&Seat| listener.connected_at.duration_since(seat.at) < LONGEST;
    let seats = presence.iter().flat_map(|presence| &presence.connections);
    seats.filter(young).filter(|seat| seat.connection != listener.connection).cloned().collect()
}

/// Takes it in, where nobody else of the person came in since `presence` was read.
async fn admit(table: &Table, listener: &Listener, presence: Option<&Presence>, mut seats: Vec<Seat>) -> Result<bool> {
    seats.push(Seat { connection: listener.connection.clone(), at: listener.connected_at });
    let revision = presence.map_or(0, |presence| presence.revision);
    let seated = table
        .change::<Presence>(listener_presence(listener))
        .set("tenant", listener.tenant)
        .set("subject", &listener.subject)
        .set("connections", seats)
        .set("revision", revision + 1)
        .expires(Presence::forgotten(listener.connected_at))
        .or_new();
    let seated = match presence {
        Some(_) => seated.when("revision", revision),
        None => seated.when_missing("revision"),
    };
    table.transact().create(listener).change(seated).send().await.or_else(|error| match error {
        // Two of the person came at the same moment.
        Error::Unavailable { .. } => Ok(false),
        error => Err(error),
    })
}

/// Forgets those of a person's connections that have ended without a word. Whether there were any.
async fn clear_out(deps: &Deps, listener: &Listener, seats: &[Seat]) -> Result<bool> {
    let settled = |seat: &&Seat| listener.connected_at.duration_since(seat.at) >= OPENING;
    let seats: Vec<&Seat> = seats.iter().filter(settled).collect();
    let found = join_all(seats.iter().map(|seat| deps.sockets.find(&seat.connection))).await;
    let mut freed = false;
    for (seat, found) in seats.into_iter().zip(found) {
        if matches!(found, Ok(Reached::Gone)) {
            leave(&deps.table, listener.tenant, &seat.connection).await?;
            freed = true;
        }
    }
    Ok(freed)
}
