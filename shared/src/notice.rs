//! A notice: something that a person should know, said once for each change.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    id::{NoticeId, TenantId},
    key::{self, Key},
    table::{Row, Table},
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

/// Stores a notice and counts it, for the alarm.
pub async fn give(
    table: &Table,
    tenant: TenantId,
    name: &str,
    subject: String,
    detail: String,
    at: Timestamp,
) -> Result<()> {
    tracing::warn!(notice.name = name, notice.subject = subject, tenant.id = %tenant, "{detail}");
    crate::metrics::count("Notices", 1);
    let notice = Notice { tenant, id: NoticeId::new(), name: name.into(), subject, detail, at };
    table.put(&notice).await
}
