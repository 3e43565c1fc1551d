//! How often a person may have sent anew what it missed: each time some thousand rows may be read for it.

use shared::{
    Result,
    gate::Person,
    limit::{Limits, Rate},
    table::Table,
};

/// Twenty at once and 20 a minute, all connections of a person together. A message may bring some, but no more of them.
const REPLAYS: Rate = Rate { burst: 20, period_ms: 60_000, fails_open: true };

/// What a person has left of them.
pub struct Replays<'d> {
    /// Where they are counted.
    pub table: &'d Table,
    /// What this process knows of that.
    pub limits: &'d Limits,
    /// The person.
    pub person: &'d Person,
    /// When it asks, in milliseconds since 1970.
    pub now: i64,
}

impl Replays<'_> {
    /// One of them, or how long to wait for it. To be asked for only where something lacks.
    pub async fn take(&self) -> Result<()> {
        let who = format!("live-replays/{}", self.person.subject);
        self.limits.draw(self.table, self.person.tenant, &who, REPLAYS, self.now).await?.passed()
    }
}
