//! Where a tenant's bookings come from, so that what came in can be compared with what is there; and what was found.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

mod lately;

pub use lately::Lately;

use crate::{
    error::{Error, Result},
    id::TenantId,
    key::{self, Index, Key},
    secrets::Sealed,
    sketch::Sketch,
    table::Row,
};

/// For so long what was found on a day is kept.
const KEEP: SignedDuration = SignedDuration::from_hours(400 * 24);

/// A source: one at most for a tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Source {
    /// Whose.
    pub tenant: TenantId,
    /// Where it answers, without a slash at its end: `https://<project>.supabase.co`.
    pub base_url: String,
    /// Lets us read it.
    pub key: Sealed,
    /// First characters of the key's SHA-256.
    pub fingerprint: String,
    /// What is read of it.
    pub tables: Vec<Watched>,
    /// Rows that changed before this are none of our business.
    pub since: Timestamp,
    /// Grows with each change that a person makes.
    pub revision: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a person changed it last.
    pub updated_at: Timestamp,
    /// When it is compared next. Until that has ended, this stays; the index alone says when another may try.
    pub due_at: Timestamp,
    /// Until when somebody is at it: milliseconds since 1970.
    #[serde(default)]
    pub busy_until: i64,
    /// How far each table was compared.
    #[serde(default)]
    pub marks: BTreeMap<String, Mark>,
    /// When it was compared last, with whatever success.
    pub last_run_at: Option<Timestamp>,
    /// When it last could be read.
    pub last_success_at: Option<Timestamp>,
    /// How often in a row it could not be read.
    #[serde(default)]
    pub failures: u32,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// Why it could not be read, the last time.
    pub fault: Option<SourceFault>,
}

/// A table of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CompletenessTable)]
pub struct Watched {
    /// Its name: `bookings`, `booking_events`, `clients` or `providers`.
    pub table: String,
    /// The column that says when a row changed.
    pub cursor_column: String,
    /// The column that tells apart rows that changed at the same time: unique, and ordered.
    pub id_column: String,
}

/// How far a table was compared.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Mark {
    /// What it is a mark of: another source, or another column, makes another.
    pub of: String,
    /// Where the comparison began, see [`Source::since`].
    pub since: Timestamp,
    /// The end of the stretch of time that is being compared, while one is.
    pub to: Option<Timestamp>,
    /// Its beginning.
    pub from: Timestamp,
    /// The last row of it that was compared.
    pub at: Option<Position>,
    /// Everything up to here was compared and counted.
    pub compared_to: Option<Timestamp>,
    /// When the last stretch was at its end.
    pub compared_at: Option<Timestamp>,
    /// How its latest changes came in.
    #[serde(default)]
    pub lately: Lately,
    /// Since when its webhooks tell of nothing or nearly nothing.
    pub missed_since: Option<Timestamp>,
    /// Since when rows are not shown that there must be.
    pub hidden_since: Option<Timestamp>,
}

/// The place of a row in the order of a table: as its columns say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// What its cursor column says.
    pub cursor: String,
    /// What its id column says.
    pub id: String,
}

/// Why a source could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceFault {
    /// By name, stable: `unreachable`, `key_refused`, `unknown_table`, `unknown_column`, …
    pub name: String,
    /// For a person.
    pub detail: String,
}

impl Row for Source {
    const KIND: &'static str = "source";

    fn key(&self) -> Key<Self> {
        key::source(self.tenant)
    }

    fn index(&self) -> Option<Index> {
        Some(key::source_due(self.due_at))
    }
}

impl Source {
    /// Where its key is bound to.
    pub fn place(tenant: &str) -> [&str; 3] {
        [tenant, "source", "key"]
    }

    /// Its version, for `If-Match`.
    pub fn etag(&self) -> String {
        format!("\"{}.{}\"", self.created_at.as_millisecond(), self.revision)
    }
}

/// What a day's rows came to, by the day on which they changed, in the tenant's time zone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Day {
    /// Whose.
    pub tenant: TenantId,
    /// Which day.
    pub date: Date,
    /// Versions of rows that had come in by themselves.
    #[serde(default)]
    pub live: Arrivals,
    /// Versions of rows that nobody had reported. Of these, times are in seconds.
    #[serde(default)]
    pub repaired: Arrivals,
    /// Rows that could not be taken: too large, or without a usable id.
    #[serde(default)]
    pub skipped: u64,
    /// How often the source was compared on this day.
    #[serde(default)]
    pub runs: u64,
    /// Of these, how often it could not be read.
    #[serde(default)]
    pub failures: u64,
}

/// How many, and how long they took from their change to us.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Arrivals {
    /// How many.
    pub n: u64,
    /// Milliseconds of all together.
    pub total_ms: u64,
    /// Of the slowest.
    pub max_ms: u64,
    /// All times: of live ones in milliseconds, of repaired ones in seconds.
    pub times: Sketch,
}

impl Row for Day {
    const KIND: &'static str = "completeness_day";

    fn key(&self) -> Key<Self> {
        key::completeness_day(self.tenant, self.date)
    }

    fn expires(&self) -> Option<Timestamp> {
        let begins = self.date.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(begins.timestamp() + KEEP)
    }
}

impl Day {
    /// A day on which nothing was found yet.
    pub fn new(tenant: TenantId, date: Date) -> Self {
        let none = Arrivals::default;
        Self { tenant, date, live: none(), repaired: none(), skipped: 0, runs: 0, failures: 0 }
    }

    /// Counts what another one has.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.live.merge(&other.live)?;
        self.repaired.merge(&other.repaired)?;
        self.skipped += other.skipped;
        self.runs += other.runs;
        self.failures += other.failures;
        Ok(())
    }
}

impl Arrivals {
    /// Counts one that came by itself after so many milliseconds.
    pub fn live(&mut self, ms: u64) {
        self.add(ms, 1);
    }

    /// Counts one that was repaired after so many milliseconds.
    pub fn repaired(&mut self, ms: u64) {
        self.add(ms, 1_000);
    }

    fn add(&mut self, ms: u64, unit: u64) {
        self.n += 1;
        self.total_ms = self.total_ms.saturating_add(ms);
        self.max_ms = self.max_ms.max(ms);
        self.times.add(ms.div_ceil(unit));
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.n += other.n;
        self.total_ms = self.total_ms.saturating_add(other.total_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
        self.times.merge(&other.times).map_err(|cause| Error::internal("times of a day do not merge", cause))
    }
}
