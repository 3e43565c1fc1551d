//! A rule, as it is shown.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    alert::{Rule, Scope, Thresholds},
    id::ClientId,
};
use utoipa::ToSchema;

use super::parts;

/// A rule.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertRule)]
pub struct RuleView {
    /// The client that it is for; null with `scenario_id` where it is for all that have no narrower one.
    client_id: Option<ClientId>,
    /// The scenario that it is for.
    scenario_id: Option<String>,
    #[serde(flatten)]
    thresholds: Thresholds,
    /// Whether it is watched at all.
    enabled: bool,
    /// Nobody is told until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    muted_until: Option<Timestamp>,
    /// Whether somebody has made it. The others hold because nobody has said anything.
    made: bool,
    /// Its version, for `If-Match`.
    pub etag: String,
}

impl From<Rule> for RuleView {
    fn from(rule: Rule) -> Self {
        let etag = rule.etag();
        let (client_id, scenario_id) = parts(&rule.scope);
        let Rule { thresholds, enabled, muted_until, .. } = rule;
        Self { client_id, scenario_id, thresholds, enabled, muted_until, made: true, etag }
    }
}

impl RuleView {
    /// One that nobody has made.
    pub fn usual(scope: &Scope, thresholds: Thresholds) -> Self {
        let (client_id, scenario_id) = parts(scope);
        Self {
            client_id,
            scenario_id,
            thresholds,
            enabled: true,
            muted_until: None,
            made: false,
            etag: Rule::UNMADE.into(),
        }
    }
}
