//! A notice: something that a person should know, said once for each change.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    id::{NoticeId, TenantId},
    key::{self, Key},
    table::{Created, Row, Table},
};

/// Something that a person should know.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Notice {
    /// Whom it concerns.
    pub tenant: TenantId,
    /// Its id.
    pub id: NoticeId,
    /// What it is about, by name: `endpoint_held`, `delivery_failed`, …
    pub name: String,
    /// The row that it is about.
    pub subject: String,
    /// What happened, for a person.
    pub detail: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl Row for Notice {
    const KIND: &'static str = "notice";

    fn key(&self) -> Key<Self> {
        key::notice(self.tenant, self.id)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.at + SignedDuration::from_hours(90 * 24))
    }
}

impl Notice {
    /// A notice about a change that happened at a moment: made again about the same change, it is the same notice.
    pub fn of(tenant: TenantId, name: &str, subject: String, detail: String, at: Timestamp) -> Self {
        Self { tenant, id: identity(tenant, name, &subject, at), name: name.into(), subject, detail, at }
    }

    /// Says it to whoever reads the logs and watches the counts.
    pub fn tell(&self) {
        tracing::warn!(notice.name = self.name, notice.subject = self.subject, tenant.id = %self.tenant, "{}", self.detail);
        crate::metrics::count("Notices", 1);
    }
}

/// Gives a notice about a change that happened at a moment: said again about the same change, it is the same notice. So
/// it may be given before the change is written, and is not lost where a function is killed between the two.
pub async fn give(
    table: &Table,
    tenant: TenantId,
    name: &str,
    subject: String,
    detail: String,
    at: Timestamp,
) -> Result<()> {
    let notice = Notice::of(tenant, name, subject, detail, at);
    if let Created::New = table.create(&notice).await? {
        notice.tell();
    }
    Ok(())
}

/// The moment in front, so that notices sort as they were given.
fn identity(tenant: TenantId, name: &str, subject: &str, at: Timestamp) -> NoticeId {
    let moment = at.as_millisecond().max(0).to_be_bytes();
    let mut id = *crate::event::identity(tenant, &[name.as_bytes(), subject.as_bytes(), &moment]).as_bytes();
    id[..6].copy_from_slice(&moment[2..]);
    NoticeId::from_bytes(id)
}
