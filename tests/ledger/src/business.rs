//! What runs: 300 scenarios over 90 days, some of them busy, some rare, some mapped to nobody.

use jiff::{SignedDuration, Timestamp};
use shared::{
    id::TenantId,
    run::{Origin, Run, RunStatus},
    scenario::{Mapped, Owner, Scenario},
    tenant::Client,
    usage::OperationType,
};

/// How many scenarios there are.
pub const SCENARIOS: usize = 300;
/// Over how many days they run.
pub const DAYS: i64 = 90;
/// A client for so many, the company beside them.
pub const CLIENTS: usize = 16;

/// Numbers that look like chance and are the same for the same seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// A number below this.
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }
}

/// The scenarios. One in ten is mapped to nobody; one in seven changed its owner in the middle of the time.
pub fn scenarios(tenant: TenantId, clients: &[Client], begin: Timestamp) -> Vec<Scenario> {
    let owner = |n: usize| match n % (CLIENTS + 1) {
        CLIENTS => Owner::Company,
        client => Owner::Client(clients[client].id),
    };
    let middle = (begin + SignedDuration::from_hours(24 * DAYS / 2)).to_zoned(jiff::tz::TimeZone::UTC).date();
    let scenario = |n: usize| {
        let mapped = |from, owner| Mapped {
            from,
            owner,
            operation_type: OperationType::ALL[n % OperationType::ALL.len()],
            seconds_saved: 30 * u32::try_from(n % 5).unwrap_or_default(),
        };
        let mut scenario = Scenario::heard_of(tenant, (400_000 + n).to_string(), format!("Scenario {n}"), begin);
        if n % 10 != 9 {
            scenario.mapping.push(mapped(None, owner(n)));
            if n.is_multiple_of(7) {
                scenario.mapping.push(mapped(Some(middle), owner(n + 1)));
            }
        }
        scenario
    };
    (0..SCENARIOS).map(scenario).collect()
}

/// The `n`th run. A third of all runs are of a tenth of the scenarios.
pub fn run(tenant: TenantId, n: u64, begin: Timestamp, seed: u64) -> Run {
    let mut dice = Dice(seed ^ n.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let busy = dice.below(3) == 0;
    let scenario = dice.below(SCENARIOS as u64 / if busy { 10 } else { 1 });
    let started_at =
        begin + SignedDuration::from_millis(i64::try_from(dice.below(DAYS as u64 * 86_400_000)).unwrap_or(0));
    let status = match dice.below(100) {
        0..4 => RunStatus::Error,
        4..10 => RunStatus::Warning,
        _ => RunStatus::Success,
    };
    let operations = 1 + dice.below(12);
    Run {
        tenant,
        scenario: (400_000 + scenario).to_string(),
        id: format!("{n:032x}"),
        started_at,
        // Where it counts is decided when it is loaded, by the product.
        date: jiff::civil::Date::MIN,
        hour: 0,
        status,
        operations,
        centicredits: Some(operations * 100 + dice.below(250)),
        transfer: dice.below(100_000),
        duration_ms: Some(200 + dice.below(20_000)),
        cost: None,
        origin: Origin::Pulled,
        trace: None,
        revision: 0,
        told_at: started_at,
    }
}
