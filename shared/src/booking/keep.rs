//! Keeping rows current from the events that report them.
//!
//! ```text
//! event of a booking ──► KEPT booking ──► LINK from each of its people ──► their names put into the booking
//! event of a person ───► KEPT person ───► every booking that LINKs name ─► the name put into it
//! ```
//!
//! Events come late, twice and out of order, and whoever keeps may be killed at any line. So a kept row carries what
//! decides between two reports ([`order`]), and an older one never overwrites a newer one. A link and the booking are
//! written before the person is read, and the person before the links are read: whichever of two that cross comes last
//! sees the other. Names are put in where the row has not changed since it was read, else once more.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{BOOKING_EVENTS, BOOKINGS, CLIENTS, Kept, PROVIDERS, id_in, parsed, version};
use crate::{
    error::{Error, Result},
    event::{Content, Event, person},
    id::TenantId,
    key::{self, Key},
    raw::columns,
    table::{Page, Row, Table},
};

/// What is deleted at its source, and that an event was seen, is forgotten after this.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(90 * 24);
/// When a person changes, so many of its bookings are told at once, the newest; the others at their own next event.
pub const MOST_BOOKINGS: u16 = 200;
/// And in so long.
const TELLING: Duration = Duration::from_secs(2);
/// So many of them at the same time.
const AT_ONCE: usize = 10;
/// A booking that changes under us is read again so many times.
const TRIES: u32 = 10;

/// That a booking names a person. Sorted by when the booking was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Link {
    /// Whose.
    pub tenant: TenantId,
    /// `clients` or `providers`.
    pub people: String,
    /// The person.
    pub person: String,
    /// Microseconds since 1970 of the booking's `created_at`, 0 where it names none.
    pub made: i64,
    /// The booking.
    pub booking: String,
}

impl Row for Link {
    const KIND: &'static str = "kept_link";

    fn key(&self) -> Key<Self> {
        key::kept_link(self.tenant, &self.people, &self.person, self.made, &self.booking)
    }
}

/// Keeps what an event says of its row, unless something newer is kept. May be done again at any time.
///
/// An event of a booking costs 1 WCU a kB of it, and 1 RCU a person to look at its people; the first of a booking, or of
/// new people in it, a link for each and a second write on top. One of a person: its own write, and for each booking of
/// it one more, with 3 RCU.
pub async fn keep(table: &Table, event: &Event) -> Result<()> {
    let Some(report) = Report::of(event) else { return Ok(()) };
    let Some(kept) = report.write(table).await? else { return Ok(()) };
    match kept.table.as_str() {
        BOOKINGS => name_people(table, kept).await,
        CLIENTS | PROVIDERS => {
            // Who has many large bookings must not keep the others waiting: an untold one is told at its next event.
            match timeout(TELLING, tell_bookings(table, &kept)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(error = ?error, "not all bookings of a person were told: {error}"),
                Err(_) => tracing::warn!("not all bookings of a person were told in {TELLING:?}"),
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What decides between two reports of a row: its version, then that it was deleted, then when it was accepted.
/// Versions are equal where one transaction of the source changes a row several times.
fn order(version: i64, deleted: bool, accepted_at: Timestamp) -> String {
    format!("{:018}-{}-{:015}", version.max(0), u8::from(deleted), accepted_at.as_millisecond().max(0))
}

/// What an event says of its row.
struct Report<'e> {
    event: &'e Event,
    table: &'e str,
    id: String,
    row: Value,
    text: &'e str,
    deleted: bool,
}

impl<'e> Report<'e> {
    fn of(event: &'e Event) -> Option<Self> {
        let Content::Booking { table, record, old_record, .. } = &event.content else { return None };
        let text = record.as_deref().or(old_record.as_deref())?;
        let row = parsed(Some(text))?;
        Some(Self { event, table, id: id_in(&row, "id")?, row, text, deleted: record.is_none() })
    }

    /// The row as it is kept now, or nothing where something newer is.
    async fn write(&self, table: &Table) -> Result<Option<Kept>> {
        let Event { tenant, id, origin, accepted_at, .. } = self.event;
        let version = version(&self.row).unwrap_or_else(|| accepted_at.as_microsecond());
        let order = order(version, self.deleted, *accepted_at);
        let change = table
            .change(key::kept(*tenant, self.table, &self.id))
            .set("tenant", tenant)
            .set("table", self.table)
            .set("id", &self.id)
            .set("version", version)
            .set("order", &order)
            .set("event", id)
            .set("origin", origin)
            .set("accepted_at", accepted_at)
            .set("deleted", self.deleted)
            .add("revision", 1)
            .or_new()
            .when_at_most_or_missing("order", &order);
        let change = match self.table {
            BOOKING_EVENTS => change,
            _ => change.set("record", self.text),
        };
        let change = if self.deleted || self.table == BOOKING_EVENTS {
            let until = *accepted_at + FORGET_AFTER;
            change.set("keep_until", until).expires(until)
        } else {
            change.remove("keep_until").lasts()
        };
        change.send().await
    }
}

/// The people of a booking, as `client_id` and `provider_id` name them.
struct People {
    tenant: TenantId,
    booking: String,
    made: i64,
    client: Option<String>,
    provider: Option<String>,
}

impl People {
    fn of(kept: &Kept) -> Self {
        let row = parsed(kept.record.as_deref()).unwrap_or_default();
        Self {
            tenant: kept.tenant,
            booking: kept.id.clone(),
            made: super::moment(&row, "created_at").map_or(0, |at| at.as_microsecond().max(0)),
            client: id_in(&row, "client_id"),
            provider: id_in(&row, "provider_id"),
        }
    }

    fn each(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [(CLIENTS, &self.client), (PROVIDERS, &self.provider)]
            .into_iter()
            .filter_map(|(of, id)| Some((of, id.as_ref()?)))
    }

    fn link(&self, people: &str, person: &str) -> Link {
        let (people, person) = (people.to_owned(), person.to_owned());
        Link { tenant: self.tenant, people, person, made: self.made, booking: self.booking.clone() }
    }

    /// Which people the links that were written lead from.
    fn linked(&self) -> String {
        json!([self.client, self.provider, self.made]).to_string()
    }
}

/// Links the people of a booking to it, and puts their names in.
async fn name_people(table: &Table, mut kept: Kept) -> Result<()> {
    // A name that was read too early would overwrite one that came since.
    let consistent = table.clone().consistent();
    for _ in 0..TRIES {
        let people = People::of(&kept);
        let linked = people.linked();
        let known = kept.linked.as_deref() == Some(&linked);
        if !known {
            for (of, person) in people.each() {
                table.put(&people.link(of, person)).await?;
            }
        }
        let keys: Vec<_> = people.each().map(|(of, person)| key::kept(kept.tenant, of, person)).collect();
        let found = if keys.is_empty() { Vec::new() } else { consistent.find_all(&keys).await? };
        let of = |table: &str| found.iter().find(|person| person.table == table).and_then(info);
        let (client, provider) = (of(CLIENTS), of(PROVIDERS));
        if known && client == kept.client_info && provider == kept.provider_info {
            return Ok(());
        }
        let done = table
            .change(kept.key())
            .set("linked", &linked)
            .set_or_remove("client_info", client.as_ref())
            .set_or_remove("provider_info", provider.as_ref())
            .add("revision", 1)
            .when("revision", kept.revision)
            .send()
            .await?;
        if done.is_some() {
            return Ok(());
        }
        match table.find_now(kept.key()).await? {
            Some(now) => kept = now,
            None => return Ok(()),
        }
    }
    Err(Error::unavailable("table", "a kept booking changed each time that its people were named"))
}

/// Puts the name of a person into the newest bookings that name it.
async fn tell_bookings(table: &Table, person: &Kept) -> Result<()> {
    let links = key::kept_links(person.tenant, &person.table, &person.id);
    let newest = Page { newest_first: true, ..Page::first(MOST_BOOKINGS) };
    let links = table.clone().consistent().list(&links, newest).await?.rows;
    stream::iter(links).map(Ok).try_for_each_concurrent(AT_ONCE, |link| tell_booking(table, link)).await
}

async fn tell_booking(table: &Table, link: Link) -> Result<()> {
    let booking = async || {
        let kept: Option<Kept> = table.find_now(key::kept(link.tenant, BOOKINGS, &link.booking)).await?;
        Ok::<_, Error>(
            kept.filter(|kept| People::of(kept).each().any(|(of, id)| of == link.people && *id == link.person)),
        )
    };
    if let Some(kept) = booking().await? {
        return name_people(table, kept).await;
    }
    // It went to somebody else, or is forgotten; or it comes back at this very moment.
    table.delete(link.key()).await?;
    match booking().await? {
        Some(kept) => {
            table.put(&link).await?;
            name_people(table, kept).await
        }
        None => Ok(()),
    }
}

/// What receivers are told of a person.
fn info(kept: &Kept) -> Option<String> {
    Some(person(&kept.table, &columns(kept.record.as_deref()?)?))
}
