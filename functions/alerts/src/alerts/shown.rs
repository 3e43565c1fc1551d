//! An alert, as it is shown and told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use shared::{
    alert::{Alert, Kind, Severity, State},
    id::{AlertId, ClientId},
    scenario::Owner,
    trace::TraceId,
};
use utoipa::ToSchema;

/// An alert.
#[derive(Serialize, ToSchema)]
#[schema(as = Alert)]
pub struct AlertView {
    /// That of kind and subject: it opens again under the same id.
    id: AlertId,
    kind: Kind,
    severity: Severity,
    state: State,
    /// For whom the scenario runs, or of whom it tells: null for the company, and for what is mapped to nobody yet.
    client_id: Option<ClientId>,
    /// Whether somebody has said whose it is.
    mapped: bool,
    /// Make.com's id of the scenario; null where it was stated without one, and where it is about no scenario.
    scenario_id: Option<String>,
    /// What people call the scenario, the client or the company.
    name: String,
    /// What happened, for a person.
    summary: String,
    /// The figures that show it; which ones depends on the kind.
    #[schema(value_type = Object)]
    evidence: BTreeMap<String, Value>,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Timestamp>,
    /// Until when nobody is told, while it is muted.
    #[schema(value_type = Option<String>, format = DateTime)]
    muted_until: Option<Timestamp>,
    /// When somebody was last told that it is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    told_at: Option<Timestamp>,
    /// Who acknowledged, muted or resolved it.
    by: Option<String>,
    /// Finds what was told of it, and to whom.
    #[schema(value_type = String)]
    trace_id: TraceId,
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id,
            kind: alert.kind,
            severity: alert.breach.severity,
            state: alert.state,
            client_id: alert.subject.owner.client(),
            mapped: alert.subject.owner != Owner::Unmapped,
            scenario_id: alert.subject.scenario.filter(|which| which.by_id).map(|which| which.scenario),
            name: alert.name,
            summary: alert.breach.summary,
            evidence: alert.breach.evidence,
            opened_at: alert.opened_at,
            resolved_at: alert.resolved_at,
            muted_until: alert.muted_until,
            told_at: alert.told_at,
            by: alert.by,
            trace_id: alert.trace,
        }
    }
}
