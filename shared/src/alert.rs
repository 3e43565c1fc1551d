//! Alerts: what of a tenant's scenarios a person should look at, by which rules, and how it stands.
//!
//! ```text
//!             ┌── a person ──► acknowledged ──┐
//!   (breach) open ◄── its time is over ── muted until   ──► resolved ──► open, as the next one
//!             └── a person ───────────────────┘  two hours without breach, or a person
//! ```
//!
//! There is one alert for each kind and subject. An event tells of its opening and one of its end, each stored in one
//! transaction with the alert: so it is told exactly once, and never without the alert.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    event,
    id::{AlertId, ClientId, TenantId},
    key::{self, Index, Key},
    scenario::Owner,
    table::Row,
    trace::TraceId,
};

/// An alert that has ended is shown for so long.
const KEEP: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AlertKind)]
pub enum Kind {
    /// Too many runs of a scenario fail.
    ErrorRate,
    /// A scenario comes near to the operations that it may use in a day.
    Limit,
    /// A scenario has stopped, by itself or by somebody's hand.
    ScenarioStatus,
    /// A client, or the company, costs more than on other such weekdays.
    CostSpike,
    /// The sync or pull of a day has not come.
    MissingSync,
    /// A scenario did not run when it should have.
    Silence,
    /// More runs of a scenario than before do nothing.
    EmptySuccess,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::ErrorRate,
        Self::Limit,
        Self::ScenarioStatus,
        Self::CostSpike,
        Self::MissingSync,
        Self::Silence,
        Self::EmptySuccess,
    ];

    /// Its name on the wire, which is a part of keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ErrorRate => "error_rate",
            Self::Limit => "limit",
            Self::ScenarioStatus => "scenario_status",
            Self::CostSpike => "cost_spike",
            Self::MissingSync => "missing_sync",
            Self::Silence => "silence",
            Self::EmptySuccess => "empty_success",
        }
    }

    /// Whether it is about a client or the company as a whole, and not about one scenario.
    pub const fn is_of_owner(self) -> bool {
        matches!(self, Self::CostSpike | Self::MissingSync)
    }
}

impl std::str::FromStr for Kind {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, &'static str> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.word() == word)
            .ok_or("one of error_rate, limit, scenario_status, cost_spike, missing_sync, silence, empty_success")
    }
}

/// For what a rule holds. Of several that hold, the narrowest does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// For all that has no narrower one.
    Tenant,
    /// For a client and its scenarios.
    Client(ClientId),
    /// For a scenario, by Make.com's id.
    Scenario(String),
}

/// When a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", content = "thresholds", rename_all = "snake_case")]
#[schema(as = AlertThresholds)]
pub enum Thresholds {
    /// Failed runs of the last 24 hours.
    ErrorRate {
        /// The lower bound of their share's 95 % Wilson interval lies above this.
        #[schema(minimum = 1, maximum = 99)]
        percent: u16,
        /// Among so many runs at least.
        #[schema(minimum = 1, maximum = 1_000_000)]
        min_runs: u64,
    },
    /// Operations of the day.
    Limit {
        /// Shares of the day's limit; each is told when it is reached.
        percent: Vec<u16>,
    },
    /// What Make.com says of a scenario.
    ScenarioStatus {
        /// One that was paused, disabled or deleted counts, too, where it ran in the week before.
        stopped: bool,
    },
    /// The cost of the day so far.
    CostSpike {
        /// So many times the median of the same weekday, in percent.
        #[schema(minimum = 101, maximum = 10_000)]
        percent: u32,
        /// A day that costs less never counts: money as text, in whatever currency the costs are.
        #[schema(value_type = String, example = "5.00")]
        #[serde(with = "rust_decimal::serde::str")]
        floor: Decimal,
        /// The median is that of up to so many weeks; of four at least.
        #[schema(minimum = 4, maximum = 8)]
        weeks: u8,
    },
    /// The sync of the day before.
    MissingSync {
        /// It should be there by this hour of the tenant's day.
        #[schema(minimum = 1, maximum = 23)]
        by_hour: u8,
        /// Where it was on so many of the seven days before.
        #[schema(minimum = 1, maximum = 7)]
        days: u8,
    },
    /// Runs that were expected: as somebody has declared, as Make.com's interval says, or else in hours in which the scenario
    /// ran on this weekday in each of the four weeks before.
    Silence {
        /// So much later is not too late.
        #[schema(minimum = 15, maximum = 10_080)]
        slack_minutes: u32,
    },
    /// Runs of the last 24 hours that did nothing.
    EmptySuccess {
        /// The lower bound of their share's 95 % Wilson interval is above that of the four weeks before by so many points.
        #[schema(minimum = 1, maximum = 99)]
        points: u16,
        /// Among so many runs at least, now and before.
        #[schema(minimum = 1, maximum = 1_000_000)]
        min_runs: u64,
    },
}

impl Thresholds {
    /// Those that hold where nobody has said anything.
    pub fn usual(kind: Kind) -> Self {
        match kind {
            Kind::ErrorRate => Self::ErrorRate { percent: 10, min_runs: 20 },
            Kind::Limit => Self::Limit { percent: vec![50, 80, 90, 100] },
            Kind::ScenarioStatus => Self::ScenarioStatus { stopped: true },
            Kind::CostSpike => Self::CostSpike { percent: 200, floor: Decimal::from(5), weeks: 8 },
            Kind::MissingSync => Self::MissingSync { by_hour: 9, days: 5 },
            Kind::Silence => Self::Silence { slack_minutes: 60 },
            Kind::EmptySuccess => Self::EmptySuccess { points: 20, min_runs: 20 },
        }
    }

    /// What they are about.
    pub fn kind(&self) -> Kind {
        match self {
            Self::ErrorRate { .. } => Kind::ErrorRate,
            Self::Limit { .. } => Kind::Limit,
            Self::ScenarioStatus { .. } => Kind::ScenarioStatus,
            Self::CostSpike { .. } => Kind::CostSpike,
            Self::MissingSync { .. } => Kind::MissingSync,
            Self::Silence { .. } => Kind::Silence,
            Self::EmptySuccess { .. } => Kind::EmptySuccess,
        }
    }
}

/// A rule that somebody has made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Whose.
    pub tenant: TenantId,
    /// For what it holds.
    pub scope: Scope,
    /// When it is broken.
    pub thresholds: Thresholds,
    /// Whether it is watched at all.
    pub enabled: bool,
    /// Nobody is told until then.
    pub muted_until: Option<Timestamp>,
    /// Grows with each change.
    pub revision: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Row for Rule {
    const KIND: &'static str = "alert_rule";

    fn key(&self) -> Key<Self> {
        key::alert_rule(self.tenant, self.thresholds.kind(), &self.scope)
    }
}

impl Rule {
    /// The version of a rule that nobody has made.
    pub const UNMADE: &'static str = "\"0\"";

    /// Its version, as HTTP compares them: one that is made anew is another.
    pub fn etag(&self) -> String {
        format!("\"{}.{}\"", self.created_at.as_millisecond(), self.revision)
    }
}

/// What an alert is about: a scenario, or an owner as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// For whom it runs.
    pub owner: Owner,
    /// The scenario, where it is about one.
    pub scenario: Option<Which>,
}

/// A scenario, by its id or else by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Which {
    /// Whether `scenario` is Make.com's id.
    pub by_id: bool,
    /// The scenario.
    pub scenario: String,
}

impl Subject {
    /// The id of the one alert of a kind about it.
    pub fn alert(&self, tenant: TenantId, kind: Kind) -> AlertId {
        let owner = match self.owner {
            Owner::Client(client) => client.to_string(),
            Owner::Company => "company".into(),
            Owner::Unmapped => "unmapped".into(),
        };
        // One that is known by its id stays the same when it is mapped to somebody else.
        let parts: [&str; 3] = match &self.scenario {
            None => ["owner", &owner, ""],
            Some(Which { by_id: true, scenario }) => ["id", "", scenario],
            Some(Which { by_id: false, scenario }) => ["name", &owner, scenario],
        };
        let [form, owner, scenario] = parts.map(str::as_bytes);
        AlertId::from_bytes(*event::identity(tenant, &[kind.word().as_bytes(), form, owner, scenario]).as_bytes())
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AlertSeverity)]
pub enum Severity {
    /// To be known.
    Info,
    /// To be looked at.
    Warning,
    /// Something has stopped, or is about to.
    Critical,
}

/// That a rule is broken, and what shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Breach {
    /// How bad it is.
    pub severity: Severity,
    /// Of a limit, the share that was reached, in percent; 0 otherwise.
    pub level: u16,
    /// The one day that it is about, where it ends with it.
    pub day: Option<Date>,
    /// What happened, for a person.
    pub summary: String,
    /// The figures.
    pub evidence: BTreeMap<String, Value>,
}

/// How an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AlertState)]
pub enum State {
    /// Somebody should look at it.
    Open,
    /// Somebody does.
    Acknowledged,
    /// Nobody is told until a moment.
    Muted,
    /// It is over.
    Resolved,
}

impl std::str::FromStr for State {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, &'static str> {
        match word {
            "open" => Ok(Self::Open),
            "acknowledged" => Ok(Self::Acknowledged),
            "muted" => Ok(Self::Muted),
            "resolved" => Ok(Self::Resolved),
            _ => Err("one of open, acknowledged, muted, resolved"),
        }
    }
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Whose.
    pub tenant: TenantId,
    /// Its id, made of kind and subject.
    pub id: AlertId,
    /// What it is about. Rows have a `kind` of their own.
    #[serde(rename = "alert_kind")]
    pub kind: Kind,
    /// Of what.
    pub subject: Subject,
    /// What people call that.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// Until when nobody is told, while it is muted.
    pub muted_until: Option<Timestamp>,
    /// What showed it last; its level is the highest that anybody was told of, once somebody was.
    pub breach: Breach,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
    /// Who acknowledged, muted or resolved it.
    pub by: Option<String>,
    /// Evaluations in a row without a breach.
    pub clear: u8,
    /// The hour of the last evaluation that counted.
    pub evaluated_at: Timestamp,
    /// Whether anybody was told that it opened.
    pub told: bool,
    /// When somebody was last told that it is open, this time or an earlier one.
    pub told_at: Option<Timestamp>,
    /// Ties together what is told of it from its opening to its end.
    pub trace: TraceId,
    /// Grows with each change.
    pub revision: u32,
}

impl Row for Alert {
    const KIND: &'static str = "alert";

    fn key(&self) -> Key<Self> {
        key::alert(self.tenant, self.id)
    }

    fn index(&self) -> Option<Index> {
        Some(key::alerts_by_time(self.tenant, self.opened_at, &self.id.to_string()))
    }

    fn expires(&self) -> Option<Timestamp> {
        self.resolved_at.map(|at| at + KEEP)
    }
}

impl Alert {
    /// Whether it goes on.
    pub fn is_on(&self) -> bool {
        self.state != State::Resolved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_survives_its_row() {
        for kind in Kind::ALL {
            let rule = Rule {
                tenant: TenantId::new(),
                scope: Scope::Scenario("418339".into()),
                thresholds: Thresholds::usual(kind),
                enabled: true,
                muted_until: None,
                revision: 3,
                created_at: "2026-11-21T10:00:00Z".parse().unwrap(),
            };
            let item = crate::table::item(&rule).unwrap();
            assert_eq!(crate::table::row::<Rule>(item).unwrap(), rule);
            assert_eq!((kind.word().parse(), serde_json::to_value(kind).unwrap()), (Ok(kind), kind.word().into()));
        }
    }

    #[test]
    fn an_alert_survives_its_row() {
        let (tenant, at) = (TenantId::new(), "2026-11-21T10:00:00Z".parse().unwrap());
        let subject = Subject { owner: Owner::Company, scenario: Some(Which { by_id: true, scenario: "1".into() }) };
        for kind in Kind::ALL {
            let alert = Alert {
                tenant,
                id: subject.alert(tenant, kind),
                kind,
                subject: subject.clone(),
                name: "Intake".into(),
                state: State::Muted,
                muted_until: Some(at),
                breach: Breach {
                    severity: Severity::Critical,
                    level: 80,
                    day: Some(Date::constant(2026, 11, 21)),
                    summary: "80 of 100".into(),
                    evidence: BTreeMap::from([
                        ("runs".into(), Value::from(80)),
                        ("lower_bound_percent".into(), Value::from(10.28)),
                    ]),
                },
                opened_at: at,
                resolved_at: None,
                by: Some("somebody".into()),
                clear: 1,
                evaluated_at: at,
                told: true,
                told_at: Some(at),
                trace: TraceId::new(),
                revision: 3,
            };
            let item = crate::table::item(&alert).unwrap();
            assert_eq!(crate::table::row::<Alert>(item).unwrap(), alert);
        }
    }

    #[test]
    fn an_alert_stays_the_same_whoever_its_scenario_runs_for() {
        let tenant = TenantId::new();
        let about = |owner, by_id| Subject { owner, scenario: Some(Which { by_id, scenario: "1".into() }) };
        let id = |subject: Subject| subject.alert(tenant, Kind::Silence);
        assert_eq!(id(about(Owner::Company, true)), id(about(Owner::Unmapped, true)));
        assert_ne!(id(about(Owner::Company, true)), about(Owner::Company, true).alert(tenant, Kind::Limit));
        assert_ne!(id(about(Owner::Company, false)), id(about(Owner::Unmapped, false)));
        assert_ne!(id(about(Owner::Company, false)), id(Subject { owner: Owner::Company, scenario: None }));
    }
}
