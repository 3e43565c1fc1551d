//! Folding rows into metrics. Counts and cents are whole numbers until the last step.

use std::collections::{BTreeMap, HashMap};

use jiff::{Timestamp, civil::Date};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use shared::{
    id::ClientId,
    usage::{OperationType, ScenarioStatus, Usage, Usd},
};

use super::{question::Question, source::Source};

/// What scenarios used, cost and achieved.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageMetrics)]
pub struct Metrics {
    range: Days,
    totals: Totals,
    /// Operations of the type `call`.
    call_operations: Figures,
    /// Operations of all other types.
    non_call_operations: Figures,
    /// Every type that was asked for, also those without usage.
    by_operation_type: Vec<OfType>,
    /// Every scenario with usage, the busiest first.
    by_scenario: Vec<OfScenario>,
    /// The company, then every client, the oldest first; also those without usage.
    by_client: Vec<OfClient>,
    /// Every day of the range, the first one first; also those without usage.
    by_day: Vec<OfDay>,
}

/// The days that the metrics are of.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageRange)]
pub struct Days {
    #[schema(value_type = String, format = Date)]
    start_date: Date,
    #[schema(value_type = String, format = Date)]
    end_date: Date,
    days: i32,
    /// The tenant's time zone: today is cut in it.
    #[schema(example = "Europe/Lisbon")]
    time_zone: String,
}

/// What operations came to.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageFigures)]
pub struct Figures {
    operations_count: u64,
    /// US dollars, exact, with two to four decimals.
    #[schema(value_type = f64, example = 7.50)]
    #[serde(serialize_with = "dollars")]
    cost_usd: Usd,
    success_count: u64,
    error_count: u64,
    /// Successes of all executions whose end is known, in percent with two decimals.
    #[schema(example = 96.67)]
    success_rate: Option<f64>,
}

/// All operations together.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageTotals)]
pub struct Totals {
    #[serde(flatten)]
    figures: Figures,
    /// Operations over all days of the range, with two decimals.
    daily_average: f64,
    /// Scenarios with usage.
    scenario_count: usize,
    /// When the latest of it was sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_sync_at: Option<Timestamp>,
}

/// One type of operation.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageOfType)]
pub struct OfType {
    operation_type: OperationType,
    #[serde(flatten)]
    figures: Figures,
}

/// One scenario of one client, or of the company.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageOfScenario)]
pub struct OfScenario {
    /// Null for the company.
    client_id: Option<ClientId>,
    scenario_id: Option<String>,
    /// As of its latest day.
    scenario_name: String,
    /// As of its latest day.
    status: ScenarioStatus,
    /// Operations that there may be in a day, as of its latest day.
    operations_limit: Option<u64>,
    #[serde(flatten)]
    figures: Figures,
    /// Operations over all days of the range, with two decimals.
    daily_average: f64,
    /// Its latest day in the range.
    #[schema(value_type = String, format = Date)]
    last_date: Date,
}

/// One client, or the company.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageOfClient)]
pub struct OfClient {
    /// Null for the company.
    client_id: Option<ClientId>,
    client_slug: Option<String>,
    client_name: Option<String>,
    #[serde(flatten)]
    figures: Figures,
}

/// One day.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageOfDay)]
pub struct OfDay {
    #[schema(value_type = String, format = Date)]
    date: Date,
    #[serde(flatten)]
    figures: Figures,
}

/// A JSON number that no float has touched.
fn dollars<S: Serializer>(amount: &Usd, serializer: S) -> Result<S::Ok, S::Error> {
    RawValue::from_string(amount.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
}

#[derive(Clone, Copy, Default)]
struct Sums {
    operations: u64,
    cost: Usd,
    succeeded: u64,
    failed: u64,
}

impl Sums {
    fn take(&mut self, row: &Usage) {
        self.operations += row.operations;
        self.cost += row.cost;
        self.succeeded += row.succeeded;
        self.failed += row.failed;
    }

    fn plus(mut self, other: Self) -> Self {
        self.operations += other.operations;
        self.cost += other.cost;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self
    }

    fn figures(self) -> Figures {
        let known = self.succeeded + self.failed;
        Figures {
            operations_count: self.operations,
            cost_usd: self.cost,
            success_count: self.succeeded,
            error_count: self.failed,
            success_rate: (known > 0).then(|| hundredths(100 * self.succeeded, known)),
        }
    }
}

/// A quotient with two decimals.
fn hundredths(of: u64, by: u64) -> f64 {
    (of as f64 * 100.0 / by as f64).round() / 100.0
}

/// What is known of one scenario so far.
struct Scenario {
    sums: Sums,
    latest: Usage,
}

/// Metrics in the making.
pub struct Fold<'q> {
    question: &'q Question,
    sources: &'q [Source],
    types: BTreeMap<OperationType, Sums>,
    clients: Vec<Sums>,
    days: BTreeMap<Date, Sums>,
    scenarios: HashMap<(usize, bool, String), Scenario>,
    last_sync_at: Option<Timestamp>,
}

impl<'q> Fold<'q> {
    /// Nothing yet: every day, type and client stands there with zeros.
    pub fn new(question: &'q Question, sources: &'q [Source]) -> Self {
        let days = question.from.series(jiff::Span::new().days(1)).take_while(|date| *date <= question.to);
        Self {
            question,
            sources,
            types: question.types().into_iter().map(|one| (one, Sums::default())).collect(),
            clients: vec![Sums::default(); sources.len()],
            days: days.map(|date| (date, Sums::default())).collect(),
            scenarios: HashMap::new(),
            last_sync_at: None,
        }
    }

    /// Takes in a row of the `n`th source, if it is asked for.
    pub fn take(&mut self, n: usize, row: Usage) {
        if !self.question.wants(&row) {
            return;
        }
        self.types.entry(row.operation_type).or_default().take(&row);
        self.days.entry(row.date).or_default().take(&row);
        self.clients[n].take(&row);
        self.last_sync_at = self.last_sync_at.max(Some(row.synced_at));
        let (by_id, scenario) = row.scenario();
        match self.scenarios.entry((n, by_id, scenario.to_owned())) {
            std::collections::hash_map::Entry::Vacant(new) => {
                let mut sums = Sums::default();
                sums.take(&row);
                new.insert(Scenario { sums, latest: row });
            }
            std::collections::hash_map::Entry::Occupied(known) => {
                let known = known.into_mut();
                known.sums.take(&row);
                if (row.date, row.synced_at) >= (known.latest.date, known.latest.synced_at) {
                    known.latest = row;
                }
            }
        }
    }

    /// The metrics of all that was taken in.
    pub fn finish(self, time_zone: String) -> Metrics {
        let length = self.question.days();
        let average = |sums: &Sums| hundredths(sums.operations, u64::try_from(length).unwrap_or(1));
        let total = self.types.values().fold(Sums::default(), |sum, one| sum.plus(*one));
        let calls = self.types.get(&OperationType::Call).copied().unwrap_or_default();
        let others = self.types.iter().filter(|(one, _)| **one != OperationType::Call);
        let others = others.fold(Sums::default(), |sum, (_, one)| sum.plus(*one));

        let mut by_scenario: Vec<OfScenario> = self
            .scenarios
            .into_values()
            .map(|Scenario { sums, latest }| OfScenario {
                client_id: latest.client,
                scenario_id: latest.scenario_id,
                scenario_name: latest.scenario_name,
                status: latest.status,
                operations_limit: latest.limit,
                daily_average: average(&sums),
                figures: sums.figures(),
                last_date: latest.date,
            })
            .collect();
        by_scenario.sort_by(|a, b| {
            let busiest = b.figures.operations_count.cmp(&a.figures.operations_count);
            busiest.then_with(|| {
                (&a.scenario_name, &a.scenario_id, a.client_id).cmp(&(&b.scenario_name, &b.scenario_id, b.client_id))
            })
        });

        Metrics {
            range: Days { start_date: self.question.from, end_date: self.question.to, days: length, time_zone },
            totals: Totals {
                daily_average: average(&total),
                figures: total.figures(),
                scenario_count: by_scenario.len(),
                last_sync_at: self.last_sync_at,
            },
            call_operations: calls.figures(),
            non_call_operations: others.figures(),
            by_operation_type: self
                .types
                .into_iter()
                .map(|(operation_type, sums)| OfType { operation_type, figures: sums.figures() })
                .collect(),
            by_scenario,
            by_client: std::iter::zip(self.sources, self.clients)
                .map(|(source, sums)| OfClient {
                    client_id: source.client,
                    client_slug: source.slug.clone(),
                    client_name: source.name.clone(),
                    figures: sums.figures(),
                })
                .collect(),
            by_day: self.days.into_iter().map(|(date, sums)| OfDay { date, figures: sums.figures() }).collect(),
        }
    }
}
