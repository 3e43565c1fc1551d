//! A scenario, as a person may see it.

use http::header;
use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use shared::{
    http::Reply,
    id::ClientId,
    scenario::{Mapped, Owner, Scenario},
    usage::{OperationType, ScenarioStatus},
};
use utoipa::ToSchema;

use crate::{metrics::Amount, sight::Sight};

/// A scenario of Make.com.
#[derive(Serialize, ToSchema)]
#[schema(as = MakeScenario)]
pub struct ScenarioView {
    /// Make.com's id of it.
    #[schema(example = "418339")]
    id: String,
    /// What people call it there, as it was last told.
    name: String,
    /// Whose it is, and what for, today.
    #[serde(flatten)]
    now: MappingView,
    /// What it is for, in words; null for those who may not see for whom it was said.
    description: Option<String>,
    /// Operations that there may be in a day.
    operations_limit: Option<u64>,
    /// It should run once in so many minutes at least, where a person has said so.
    #[schema(value_type = Option<f64>, example = 15)]
    expected_every_minutes: Option<u32>,
    /// How it is doing, as Make.com says; null where Make.com was not asked.
    status: Option<ScenarioStatus>,
    /// What starts it, in Make.com's words: `immediately`, `indefinitely`, `daily`, `on-demand`, …
    scheduling: Option<String>,
    /// Seconds between its runs, where it runs at intervals.
    interval_seconds: Option<u64>,
    /// Runs that ended incomplete and wait for somebody at Make.com.
    incomplete_runs: Option<u64>,
    /// When Make.com said so.
    #[schema(value_type = Option<String>, format = DateTime)]
    status_at: Option<Timestamp>,
    /// When it was first heard of.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// What it was, by time, the latest last; empty where nobody has mapped it. People who are limited to a client see its
    /// part.
    history: Vec<Statement>,
    /// The version of what people have set, for `If-Match`.
    etag: String,
}

/// Whose a scenario is, and what for.
#[derive(Serialize, ToSchema)]
#[schema(as = MakeScenarioMapping)]
struct MappingView {
    /// For whom it runs.
    owner: OwnerWord,
    /// The client, where it runs for one.
    client_id: Option<ClientId>,
    operation_type: OperationType,
    /// Minutes of somebody's work that a run saves, where it did something.
    #[schema(value_type = f64, example = 2.5)]
    minutes_saved: Amount,
}

/// What a scenario is from a day on.
#[derive(Serialize, ToSchema)]
#[schema(as = MakeScenarioStatement)]
struct Statement {
    /// The first day; null for always.
    #[schema(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    #[serde(flatten)]
    is: MappingView,
}

/// For whom something runs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MakeScenarioOwner)]
enum OwnerWord {
    /// The tenant itself.
    Company,
    /// One of its clients.
    Client,
    /// Nobody has said yet.
    Unmapped,
}

impl From<&Mapped> for MappingView {
    fn from(mapped: &Mapped) -> Self {
        Self {
            owner: match mapped.owner {
                Owner::Company => OwnerWord::Company,
                Owner::Client(_) => OwnerWord::Client,
                Owner::Unmapped => OwnerWord::Unmapped,
            },
            client_id: mapped.owner.client(),
            operation_type: mapped.operation_type,
            minutes_saved: minutes(mapped.seconds_saved),
        }
    }
}

/// To the nearest hundredth.
fn minutes(seconds: u32) -> Amount {
    Amount::hundredths((u64::from(seconds) * 10 + 3) / 6)
}

impl ScenarioView {
    /// As it is on a day.
    pub fn of(scenario: Scenario, today: Date, sight: Sight) -> Self {
        let visible = scenario.mapping.iter().filter(|mapped| sight.sees(mapped.owner));
        let history = visible.map(|mapped| Statement { from: mapped.from, is: mapped.into() }).collect();
        let (now, etag) = ((&scenario.on(today)).into(), scenario.etag());
        // Said with the latest statement, which may hold from a day to come.
        let is_theirs = scenario.mapping.last().is_none_or(|latest| sight.sees(latest.owner));
        let told = scenario.told;
        Self {
            id: scenario.id,
            name: scenario.name,
            now,
            description: scenario.description.filter(|_| is_theirs),
            operations_limit: scenario.daily_limit,
            expected_every_minutes: scenario.expected_every_s.map(|seconds| seconds / 60),
            status: told.as_ref().map(|told| told.status),
            scheduling: told.as_ref().and_then(|told| told.scheduling.clone()),
            interval_seconds: told.as_ref().and_then(|told| told.interval_s),
            incomplete_runs: told.as_ref().and_then(|told| told.incomplete),
            status_at: told.map(|told| told.at),
            created_at: scenario.created_at,
            history,
            etag,
        }
    }

    /// An answer with its version as `ETag`.
    pub fn tag(&self, reply: Reply) -> Reply {
        reply.header(header::ETAG, &self.etag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_shown_to_the_hundredth() {
        for (seconds, text) in [(0, "0.00"), (60, "1.00"), (150, "2.50"), (1, "0.02"), (600_000, "10000.00")] {
            assert_eq!(minutes(seconds).to_string(), text);
        }
    }
}
