//! A receiver: what Make.com itself says of the webhook behind an endpoint, as it was last seen.
//!
//! Make.com answers a webhook with 200 as soon as it has queued the request: a delivery that succeeded may still have no
//! effect. What its API says of the webhook and its scenario tells why.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    id::{EndpointId, TenantId},
    key::{self, Key},
    table::Row,
};

/// For how long what was seen is believed while Make.com cannot be asked.
pub const BELIEVED: SignedDuration = SignedDuration::from_mins(15);

/// What Make.com says of the webhook behind an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receiver {
    /// Whose.
    pub tenant: TenantId,
    /// Behind which endpoint.
    pub endpoint: EndpointId,
    /// Grows with every write.
    pub revision: u64,
    /// The address that was looked for: the first characters of its SHA-256.
    pub address: String,
    /// The team that the webhook belongs to.
    pub team: Option<u64>,
    /// The webhook; none of the account has this address where it is missing.
    pub hook: Option<Hook>,
    /// The scenario that it starts.
    pub scenario: Option<Scenario>,
    /// When Make.com last said so.
    pub seen_at: Timestamp,
    /// Why what is delivered has no effect.
    pub trouble: Option<Trouble>,
    /// How full the queue is.
    pub fill: Fill,
    /// Since when it is filling, or full.
    pub fill_since: Option<Timestamp>,
    /// Runs that ended incomplete, since they became more.
    pub incomplete: Option<Incomplete>,
    /// So many incomplete runs are no news.
    pub incomplete_known: Option<u64>,
    /// When the endpoint was last held for its receiver, while there is a reason to hold it.
    pub held_at: Option<Timestamp>,
    /// Notices that were decided with this row, and perhaps not given yet.
    #[serde(default)]
    pub untold: Vec<Untold>,
}

/// A webhook, as Make.com shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ReceiverHook)]
pub struct Hook {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Requests that wait in its queue.
    pub queue_count: Option<u64>,
    /// The most that its queue holds.
    pub queue_limit: Option<u64>,
    /// Whether it takes requests.
    pub enabled: Option<bool>,
    /// Whether it has been without a scenario for more than five days, and answers 410.
    pub gone: Option<bool>,
    /// Whether Make.com still lists it.
    pub listed: bool,
}

/// A scenario, as Make.com shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ReceiverScenario)]
pub struct Scenario {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub is_active: Option<bool>,
    /// Whether the subscription keeps it from running.
    pub is_paused: Option<bool>,
    /// Whether an error has stopped it.
    pub is_invalid: Option<bool>,
    /// Whether its modules are linked, in Make's words; shown, and not judged.
    pub is_linked: Option<bool>,
    /// Runs that ended incomplete and wait for somebody.
    pub incomplete_runs: Option<u64>,
}

/// Why what is delivered has no effect, and since when that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What it is.
    pub kind: Kind,
    /// When it was first seen.
    pub since: Timestamp,
}

/// What can keep a webhook from having an effect, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It was without a scenario for more than five days, or it was deleted.
    HookGone,
    /// Somebody has disabled it.
    HookDisabled,
    /// It has no scenario.
    HookUnattached,
    /// An error has stopped its scenario.
    ScenarioInvalid,
    /// The subscription keeps its scenario from running.
    ScenarioPaused,
    /// Its scenario is off.
    ScenarioOff,
}

/// How full a queue is, and with that how fast its endpoint is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// There is room.
    #[default]
    Low,
    /// Half of it is taken.
    Filling,
    /// Four fifths are taken.
    High,
    /// It is all but full.
    Full,
}

/// Runs that ended incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incomplete {
    /// When they were first seen to have become more.
    pub since: Timestamp,
    /// How many there were when it was last told.
    pub told: u64,
}

/// A notice that was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// Its name.
    pub name: String,
    /// What happened, for a person.
    pub detail: String,
    /// When it was seen.
    pub at: Timestamp,
}

/// Something found, and how much it matters.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = ReceiverFinding)]
pub struct Finding {
    /// Its name: stable, to be matched on.
    pub name: &'static str,
    /// `error`: events have no effect. `warning`: they may soon have none. `info`: nothing is wrong.
    pub severity: Severity,
    /// What it is, for a person.
    pub detail: String,
    /// When it was first seen.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Events have no effect.
    Error,
    /// They may soon have none.
    Warning,
    /// Nothing is wrong.
    Info,
}

impl Row for Receiver {
    const KIND: &'static str = "receiver";

    fn key(&self) -> Key<Self> {
        key::receiver(self.tenant, self.endpoint)
    }
}

impl Kind {
    /// Its name in notices and findings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HookGone => "hook_gone",
            Self::HookDisabled => "hook_disabled",
            Self::HookUnattached => "hook_unattached",
            Self::ScenarioInvalid => "scenario_invalid",
            Self::ScenarioPaused => "scenario_paused",
            Self::ScenarioOff => "scenario_off",
        }
    }
}

impl Fill {
    /// The pace at which an endpoint is sent whose receiver's queue is so full, in percent; none: it is held.
    pub const fn pace(self) -> Option<u8> {
        match self {
            Self::Low => Some(100),
            Self::Filling => Some(50),
            Self::High => Some(20),
            Self::Full => None,
        }
    }
}

impl Receiver {
    /// Of an endpoint that nobody has looked at yet.
    pub fn unseen(tenant: TenantId, endpoint: EndpointId, address: String, now: Timestamp) -> Self {
        Self {
            tenant,
            endpoint,
            revision: 0,
            address,
            team: None,
            hook: None,
            scenario: None,
            seen_at: now,
            trouble: None,
            fill: Fill::Low,
            fill_since: None,
            incomplete: None,
            incomplete_known: None,
            held_at: None,
            untold: Vec::new(),
        }
    }

    /// Whether what is due to its endpoint is better kept here.
    pub fn holds(&self) -> bool {
        self.trouble.is_some() || self.fill == Fill::Full
    }

    /// Whether it was seen so long ago that it says nothing of now.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen_at) >= BELIEVED
    }

    /// What is wrong with it in one word, the worst first.
    pub fn verdict(&self, now: Timestamp) -> &'static str {
        self.findings(now).first().map_or("working", |finding| finding.name)
    }

    /// What is wrong with it, the worst first.
    pub fn findings(&self, now: Timestamp) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut find = |name, severity, since, detail| found.push(Finding { name, severity, detail, since });
        if let Some(Trouble { kind, since }) = self.trouble {
            let detail = format!(
                "delivered to Make.com, but {} since {}: {} in its queue",
                self.what_is(kind),
                told(since),
                self.waiting()
            );
            find(kind.name(), Severity::Error, Some(since), detail);
        }
        let name = if self.fill == Fill::Full { "queue_full" } else { "queue_filling" };
        match self.fill {
            Fill::Low => {}
            Fill::Filling | Fill::High => find(name, Severity::Warning, self.fill_since, self.queue()),
            Fill::Full => find(name, Severity::Error, self.fill_since, self.queue()),
        }
        if let Some(incomplete) = self.incomplete {
            let runs = self.scenario.as_ref().and_then(|scenario| scenario.incomplete_runs).unwrap_or(incomplete.told);
            let detail = format!("{runs} runs of {} ended incomplete and wait for somebody", self.scenario_name());
            find("incomplete_runs", Severity::Warning, Some(incomplete.since), detail);
        }
        if self.is_stale(now) {
            let detail = format!("Make.com has not said since {} how its webhook is", told(self.seen_at));
            find("receiver_unknown", Severity::Warning, Some(self.seen_at), detail);
        } else if self.hook.is_none() {
            let detail = "no webhook of the account at Make.com has this address".into();
            find("no_hook", Severity::Info, None, detail);
        }
        found
    }

    /// What is wrong, in half a sentence.
    pub fn what_is(&self, kind: Kind) -> String {
        let (hook, scenario) = (self.hook_name(), self.scenario_name());
        match kind {
            Kind::HookGone if self.hook.as_ref().is_some_and(|hook| !hook.listed) => format!("{hook} was deleted"),
            Kind::HookGone => format!("{hook} is gone, for it had no scenario for more than five days"),
            Kind::HookDisabled => format!("{hook} is disabled"),
            Kind::HookUnattached => format!("{hook} has no scenario"),
            Kind::ScenarioInvalid => format!("{scenario} was stopped by an error"),
            Kind::ScenarioPaused => format!("{scenario} is paused by its subscription"),
            Kind::ScenarioOff => format!("{scenario} is off"),
        }
    }

    /// How full its queue is, for a person.
    pub fn queue(&self) -> String {
        let (count, limit) = self.hook.as_ref().map_or((None, None), |hook| (hook.queue_count, hook.queue_limit));
        match (count, limit) {
            (Some(count), Some(limit)) => {
                format!("{count} of {limit} places in the queue of {} are taken", self.hook_name())
            }
            _ => format!("how full the queue of {} is was not said", self.hook_name()),
        }
    }

    /// How much waits in its queue, for a person.
    pub fn waiting(&self) -> String {
        match self.hook.as_ref().and_then(|hook| hook.queue_count) {
            None => "an unknown number of events waits".into(),
            Some(0) => "no event waits".into(),
            Some(1) => "1 event waits".into(),
            Some(n) => format!("{n} events wait"),
        }
    }

    fn hook_name(&self) -> String {
        self.hook.as_ref().map_or_else(|| "its webhook".into(), |hook| format!("its webhook {:?}", hook.name))
    }

    /// What people call its scenario.
    pub fn scenario_name(&self) -> String {
        self.scenario.as_ref().map_or_else(|| "its scenario".into(), |scenario| format!("scenario {:?}", scenario.name))
    }
}

/// A moment, for a person.
fn told(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
