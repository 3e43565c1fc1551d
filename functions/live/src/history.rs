//! One page of a channel's history: the same numbers and the same events that live clients get.

use serde::Serialize;
use serde_json::value::RawValue;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    cursor::{self, Paging},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    key,
    live::{Channel, LAST, head},
    secrets::Vault,
    table::{Page, Table},
};
use utoipa::{IntoParams, ToSchema};

use crate::{rights, shown};

/// An answer of a function has 6 MB at most: a page ends before that.
const LARGEST: usize = 4_000_000;

/// What reading needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table, a consistent one: a number that was given has its event.
    pub table: Table,
    /// Keys that authenticate cursors.
    pub vault: Vault,
    /// Where this runs, as receivers are told.
    pub stage: String,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        let (gate, table, vault) = (aws.gate()?, aws.table()?.consistent(), aws.vault()?);
        Ok(Self { gate, table, vault, stage: aws.setting("STAGE") })
    }
}

/// Which part of the history.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// The numbers above this one, in their order; without it the newest come first.
    #[param(value_type = Option<u64>)]
    since: Option<u64>,
    #[param(ignore)]
    paging: Paging,
}

/// A page of a channel's history.
#[derive(Serialize, ToSchema)]
pub struct History {
    /// The events. A page of large ones may hold fewer than asked for.
    events: Vec<NumberedEvent>,
    /// The channel's last number.
    head: u64,
    /// Goes on from here; null at the end.
    next_cursor: Option<String>,
}

/// An event with its number in the channel.
#[derive(Serialize, ToSchema)]
pub struct NumberedEvent {
    /// One more than that of the event before it in the channel.
    number: u64,
    /// The body that webhooks deliver of it; above 100 kB without its rows, and with `truncated`.
    #[schema(value_type = Object)]
    event: Box<RawValue>,
}

/// The page that a call asks for, of a channel of its own tenant that it may follow.
pub async fn page(
    deps: &Deps,
    call: &Call,
    channel: impl FnOnce(String) -> Channel,
    kind: &'static str,
) -> Result<Reply> {
    let person = deps.gate.person(call, Role::Agent).await?.of_whole_tenant()?;
    let channel = channel(call.part("id", kind)?);
    // An id that no channel can have is nobody's.
    channel.to_string().parse::<Channel>().map_err(|_| Error::NotFound { kind })?;
    let part = Part::read(call)?;
    allowed(deps, &person, &channel, kind).await?;
    let keyring = deps.vault.keyring().await?;
    let list = format!("history {channel} {}", part.since.is_some());
    let after = match &part.paging.cursor {
        Some(cursor) => cursor::read(&keyring, person.tenant, &list, cursor, call.now)?.parse().ok(),
        None => None,
    };

    let head = head(&deps.table, person.tenant, &channel).await?;
    if head == 0 && channel.id() != person.subject {
        return Err(Error::NotFound { kind });
    }
    let events = read(deps, &person, &channel, &part, after).await?;
    let more = events.last().map(|last| last.number).filter(|last| part.has_more(*last, head));

    Ok(Reply::ok(History {
        next_cursor: more
            .map(|last| cursor::write(&keyring, person.tenant, &list, &last.to_string(), call.now))
            .transpose()?,
        events,
        head,
    }))
}

/// A booking that is not an agent's own looks to it like one that does not exist.
async fn allowed(deps: &Deps, person: &Person, channel: &Channel, kind: &'static str) -> Result<()> {
    match (rights::check(&deps.table, person, channel).await, channel) {
        (Err(Error::Forbidden(_)), Channel::Booking(_)) => Err(Error::NotFound { kind }),
        (allowed, _) => allowed,
    }
}

async fn read(
    deps: &Deps,
    person: &Person,
    channel: &Channel,
    part: &Part,
    after: Option<u64>,
) -> Result<Vec<NumberedEvent>> {
    let (from, to) = match part.since {
        Some(since) => (after.unwrap_or(since).saturating_add(1), LAST),
        None => (1, after.map_or(LAST, |after| after.saturating_sub(1))),
    };
    if from > to {
        return Ok(Vec::new());
    }
    let range = key::live_entries(person.tenant, channel, from, to);
    let page = Page { limit: part.paging.limit, after: None, newest_first: part.since.is_none() };
    let entries = deps.table.list(&range, page).await?.rows;
    let mut room = LARGEST;
    let shown = shown::read(&deps.table, &deps.stage, &entries).await?.into_iter();
    let fitting = shown.take_while(|shown| {
        let fits = room > 0;
        room = room.saturating_sub(shown.event.get().len());
        fits
    });
    Ok(fitting.map(|shown| NumberedEvent { number: shown.number, event: shown.event }).collect())
}

impl Part {
    fn read(call: &Call) -> Result<Self> {
        let mut given = call.parameters();
        let (since, paging) = (given.parsed::<u64>("since"), Paging::read(&mut given));
        if since.is_some_and(|since| since > LAST) {
            given.fault("since", "must be at most 999999999999");
        }
        given.build(|| Some(Self { since, paging }))
    }

    /// Whether there is something behind a number, in the order that was asked for.
    fn has_more(&self, last: u64, head: u64) -> bool {
        if self.since.is_some() { last < head } else { last > 1 }
    }
}
