//! Usage: what one Make.com scenario used, cost and achieved on one day.

use data_encoding::HEXLOWER;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    id::{ClientId, TenantId},
    key::{self, Key},
    table::Row,
};

/// What one scenario used on one day.
///
/// The row is keyed by what it speaks of: client or company, day, scenario (its id, or its name where it has none),
/// type of operation and call. Sending the same again replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Whose.
    pub tenant: TenantId,
    /// For which client; none for the company itself.
    pub client: Option<ClientId>,
    /// The day, as the sender cut it.
    pub date: Date,
    /// What people call the scenario.
    pub scenario_name: String,
    /// What Make.com calls it.
    pub scenario_id: Option<String>,
    /// What the operations were for.
    pub operation_type: OperationType,
    /// The one call that they belong to.
    pub call: Option<String>,
    /// How many operations.
    pub operations: u64,
    /// How many there may be in a day.
    pub limit: Option<u64>,
    /// What they cost.
    pub cost: Usd,
    /// Executions that succeeded.
    pub succeeded: u64,
    /// Executions that failed.
    pub failed: u64,
    /// How the scenario was doing.
    pub status: ScenarioStatus,
    /// What it is for.
    pub description: Option<String>,
    /// When this was sent.
    pub synced_at: Timestamp,
}

impl Row for Usage {
    const KIND: &'static str = "usage";

    fn key(&self) -> Key<Self> {
        key::usage(self.tenant, self.client, self.date, &self.subject())
    }
}

impl Usage {
    /// What makes the scenario: its id, or its name where it has none.
    pub fn scenario(&self) -> (bool, &str) {
        match &self.scenario_id {
            Some(id) => (true, id),
            None => (false, &self.scenario_name),
        }
    }

    /// Scenario, type of operation and call in 32 characters: names may hold anything.
    pub fn subject(&self) -> String {
        let (by_id, scenario) = self.scenario();
        let parts = [
            if by_id { "id" } else { "name" },
            scenario,
            self.operation_type.word(),
            self.call.as_deref().unwrap_or_default(),
        ];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        HEXLOWER.encode(&hash.finalize()[..16])
    }
}

/// What operations are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationType {
    /// Call processing.
    Call,
    /// User management, maintenance, reporting.
    Admin,
    /// Campaigns, nurturing, social media.
    Marketing,
    /// Alerts, reminders, status updates.
    Notification,
    /// Evaluation and analysis of calls.
    Evaluation,
    /// Anything else.
    General,
}

impl OperationType {
    /// Every type.
    pub const ALL: [Self; 6] =
        [Self::Call, Self::Admin, Self::Marketing, Self::Notification, Self::Evaluation, Self::General];

    /// Its name on the wire, which is a part of keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Admin => "admin",
            Self::Marketing => "marketing",
            Self::Notification => "notification",
            Self::Evaluation => "evaluation",
            Self::General => "general",
        }
    }
}

/// How a scenario is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioStatus {
    /// It runs.
    Active,
    /// Somebody has stopped it for a while.
    Paused,
    /// It has stopped by itself.
    Error,
    /// It is switched off.
    Disabled,
}

/// US dollars, in ten-thousandths: exact, as a `decimal(10,4)` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usd(u64);

impl Usd {
    /// So many ten-thousandths of a dollar.
    pub const fn from_ten_thousandths(n: u64) -> Self {
        Self(n)
    }

    /// The same as a number.
    pub const fn ten_thousandths(self) -> u64 {
        self.0
    }
}

impl std::ops::AddAssign for Usd {
    fn add_assign(&mut self, more: Self) {
        self.0 = self.0.saturating_add(more.0);
    }
}

/// Dollars with two to four decimals: `7.50`, `0.0125`.
impl std::fmt::Display for Usd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (dollars, cents, rest) = (self.0 / 10_000, self.0 % 10_000 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{dollars}.{cents:02}"),
            rest if rest % 10 == 0 => write!(f, "{dollars}.{cents:02}{}", rest / 10),
            rest => write!(f, "{dollars}.{cents:02}{rest:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_name() {
        for one in OperationType::ALL {
            assert_eq!(serde_json::to_value(one).unwrap(), one.word());
        }
    }

    #[test]
    fn dollars_are_written_with_two_to_four_decimals() {
        for (n, text) in [
            (0, "0.00"),
            (75_000, "7.50"),
            (125, "0.0125"),
            (120, "0.012"),
            (10_001, "1.0001"),
            (100_000_000_000_000, "10000000000.00"),
        ] {
            assert_eq!(Usd::from_ten_thousandths(n).to_string(), text);
        }
    }
}
