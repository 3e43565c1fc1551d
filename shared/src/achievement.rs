//! What automation is for: bookings that were confirmed, leads that came in. Counted by the day, each once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    booking::{self, BOOKINGS},
    error::Result,
    event::{Content, Event},
    id::TenantId,
    key::{self, Key},
    table::{Row, Table},
    tenant,
};

/// So long a booking or lead is remembered that was counted.
const KEEP: SignedDuration = SignedDuration::from_hours(400 * 24);

/// What was achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Achievement {
    /// A booking became `confirmed` for the first time.
    BookingConfirmed,
    /// A lead came in.
    LeadCreated,
}

impl Achievement {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::BookingConfirmed, Self::LeadCreated];

    /// Its name, which is a part of keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BookingConfirmed => "booking_confirmed",
            Self::LeadCreated => "lead_created",
        }
    }

    /// What an event shows, and of which booking or lead.
    pub fn of(event: &Event) -> Option<(Self, String)> {
        match &event.content {
            Content::Booking { table, record: Some(record), old_record, .. } if table == BOOKINGS => {
                let row: Value = serde_json::from_str(record).ok()?;
                let was_already =
                    old_record.as_ref().and_then(|old| serde_json::from_str(old).ok()).is_some_and(is_confirmed);
                let id = booking::id_in(&row, "id")?;
                (is_confirmed(row) && !was_already).then_some((Self::BookingConfirmed, id))
            }
            Content::Automation { data, .. } => {
                let data: Value = serde_json::from_str(data).ok()?;
                Some((Self::LeadCreated, booking::id_in(data.get("lead")?, "id")?))
            }
            _ => None,
        }
    }
}

fn is_confirmed(row: Value) -> bool {
    row["status"].as_str().is_some_and(|status| status.eq_ignore_ascii_case("confirmed"))
}

/// What a tenant achieved on a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Achieved {
    /// Whose.
    pub tenant: TenantId,
    /// Which day, in the tenant's time zone.
    pub date: Date,
    /// Bookings confirmed.
    #[serde(default)]
    pub booking_confirmed: u64,
    /// Leads created.
    #[serde(default)]
    pub lead_created: u64,
}

impl Row for Achieved {
    const KIND: &'static str = "achieved";

    fn key(&self) -> Key<Self> {
        key::achieved(self.tenant, self.date)
    }
}

impl Achieved {
    /// How much of each there was.
    pub fn counts(&self) -> BTreeMap<Achievement, u64> {
        BTreeMap::from([
            (Achievement::BookingConfirmed, self.booking_confirmed),
            (Achievement::LeadCreated, self.lead_created),
        ])
    }
}

/// That a booking or lead was counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counted {
    /// Whose.
    pub tenant: TenantId,
    /// What was achieved.
    pub achievement: Achievement,
    /// Of which booking or lead.
    pub subject: String,
    /// The day that it counts for.
    pub date: Date,
    /// When it may be forgotten.
    pub keep_until: jiff::Timestamp,
}

impl Row for Counted {
    const KIND: &'static str = "counted";

    fn key(&self) -> Key<Self> {
        key::counted(self.tenant, self.achievement.word(), &self.subject)
    }

    fn expires(&self) -> Option<jiff::Timestamp> {
        Some(self.keep_until)
    }
}

/// Counts what an event shows, once for each booking or lead, however often it is told.
pub async fn count(table: &Table, event: &Event) -> Result<()> {
    let Some((achievement, subject)) = Achievement::of(event) else {
        return Ok(());
    };
    if table.find(key::counted(event.tenant, achievement.word(), &subject)).await?.is_some() {
        return Ok(());
    }
    let zone = tenant::zone(table, event.tenant).await?;
    let date = event.accepted_at.to_zoned(zone.rules().clone()).date();
    let keep_until = event.accepted_at + KEEP;
    let counted = Counted { tenant: event.tenant, achievement, subject, date, keep_until };
    let more = table
        .change(key::achieved(event.tenant, date))
        .or_new()
        .set("tenant", event.tenant)
        .set("date", date)
        .add(achievement.word(), 1);
    // False where somebody else has counted it meanwhile.
    table.transact().create(&counted).change(more).send().await.map(drop)
}
