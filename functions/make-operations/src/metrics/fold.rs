//! Folding cells into metrics. Counts are whole numbers and money is exact until the last step.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{Timestamp, civil::Date};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::Serialize;
use shared::{
    achievement::{Achieved, Achievement},
    id::ClientId,
    money::{Amount, Cost, Costs},
    rate::Rates,
    scenario::{Owner, Scenario},
    sheet::{Cell, DayTotal, Sheet, Stated, Subject, Sums},
    usage::{OperationType, ScenarioStatus},
};

use super::{question::Question, source::Source};

/// What scenarios used, cost and achieved.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageMetrics)]
pub struct Metrics {
    range: Days,
    totals: Totals,
    /// The equally long window before; null where it was not asked for.
    previous: Option<Previous>,
    /// Operations of the type `call`.
    call_operations: Figures,
    /// Operations of all other types.
    non_call_operations: Figures,
    /// Every type that was asked for, also those without usage.
    by_operation_type: Vec<OfType>,
    /// Every scenario with usage, the busiest first.
    by_scenario: Vec<OfScenario>,
    /// The company, what is mapped to nobody yet where it has usage, then every client, the oldest first.
    by_client: Vec<OfClient>,
    /// Every day of the range, the first one first; also those without usage.
    by_day: Vec<OfDay>,
    /// What the tenant achieved in the range, and what each cost; only where all clients are asked for.
    achieved: Vec<OfAchievement>,
    /// Days of the range of which something was told that is not in these metrics yet; it will be within minutes.
    #[schema(value_type = Vec<String>)]
    pending_days: BTreeSet<Date>,
}

/// The days that metrics are of.
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
    /// What Make.com bills, exact; of scenarios and days of which it is known.
    #[schema(value_type = f64, example = 150.25)]
    credits: Amount,
    /// Whether it is known of all of them.
    credits_complete: bool,
    /// US dollars, exact: credits at the price of their day, or what was stated where one of the two is not known.
    #[schema(value_type = f64, example = 7.50)]
    cost_usd: Amount,
    /// The same in other money, where prices are made in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_costs: Vec<Cost>,
    success_count: u64,
    /// Runs that ended with a warning: neither a success nor a failure.
    warning_count: u64,
    error_count: u64,
    /// Of the successes, those that did nothing: a check that found nothing.
    empty_count: u64,
    /// Successes of all runs whose end is known, in percent with two decimals.
    #[schema(example = 96.67)]
    success_rate: Option<f64>,
    /// Errors of all of them, likewise.
    #[schema(example = 3.33)]
    error_rate: Option<f64>,
    /// Errors and warnings of all of them, likewise.
    #[schema(example = 3.33)]
    unhealthy_rate: Option<f64>,
    /// Minutes of somebody's work that runs saved, by what is set for their scenarios.
    #[schema(example = 725.0)]
    minutes_saved: f64,
    /// How long a run took in the mean, of those of which it is known.
    #[schema(example = 1840)]
    mean_duration_ms: Option<u64>,
    transfer_bytes: u64,
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

/// The equally long window before.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsagePrevious)]
pub struct Previous {
    #[schema(value_type = String, format = Date)]
    start_date: Date,
    #[schema(value_type = String, format = Date)]
    end_date: Date,
    #[serde(flatten)]
    figures: Figures,
    /// Operations over all its days, with two decimals.
    daily_average: f64,
    /// How much more operations there are now, in percent of then with two decimals; null where there were none.
    #[schema(example = 12.5)]
    operations_change: Option<f64>,
    /// The same of US dollars.
    #[schema(example = -4.2)]
    cost_change: Option<f64>,
    /// By how many percentage points the success rate is higher now.
    #[schema(example = 0.35)]
    success_rate_change: Option<f64>,
}

/// One type of operation.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageOfType)]
pub struct OfType {
    operation_type: OperationType,
    #[serde(flatten)]
    figures: Figures,
}

/// One scenario of one client, of the company, or mapped to nobody yet.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageOfScenario)]
pub struct OfScenario {
    /// Null for the company, and for what is mapped to nobody yet.
    client_id: Option<ClientId>,
    /// Whether somebody has said whose it is.
    mapped: bool,
    scenario_id: Option<String>,
    scenario_name: String,
    status: ScenarioStatus,
    /// Operations that there may be in a day.
    operations_limit: Option<u64>,
    #[serde(flatten)]
    figures: Figures,
    /// Operations over all days of the range, with two decimals.
    daily_average: f64,
    /// Its latest day in the range.
    #[schema(value_type = String, format = Date)]
    last_date: Date,
}

/// One client, the company, or what is mapped to nobody yet.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageOfClient)]
pub struct OfClient {
    /// Null for the company, and for what is mapped to nobody yet.
    client_id: Option<ClientId>,
    client_slug: Option<String>,
    client_name: Option<String>,
    /// False for what is mapped to nobody yet.
    mapped: bool,
    #[serde(flatten)]
    figures: Figures,
}

/// What was achieved.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageOfAchievement)]
pub struct OfAchievement {
    achievement: Achievement,
    /// How many.
    count: u64,
    /// The US dollars of all that is asked for over their number, to four decimals; null where there are none.
    #[schema(value_type = Option<f64>, example = 0.42)]
    cost_usd_each: Option<Amount>,
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

/// What cells come to, and what they cost.
#[derive(Clone, Default)]
struct Account {
    sums: Sums,
    costs: Costs,
}

impl Account {
    fn take(&mut self, cell: &Cell, costs: Costs) {
        self.sums.take(cell);
        self.costs += costs;
    }

    fn add(&mut self, other: &Self) {
        self.sums += other.sums;
        self.costs += other.costs.clone();
    }

    fn success_rate(&self) -> Option<f64> {
        share(self.sums.succeeded, self.sums.runs())
    }

    fn figures(&self) -> Figures {
        let Sums { succeeded, warned, failed, .. } = self.sums;
        let runs = self.sums.runs();
        Figures {
            operations_count: self.sums.operations,
            credits: Amount::hundredths(self.sums.centicredits),
            credits_complete: self.sums.uncredited == 0,
            cost_usd: self.costs.usd(),
            other_costs: self.costs.others(),
            success_count: succeeded,
            warning_count: warned,
            error_count: failed,
            empty_count: self.sums.empty,
            success_rate: self.success_rate(),
            error_rate: share(failed, runs),
            unhealthy_rate: share(failed + warned, runs),
            minutes_saved: hundredths(self.sums.seconds_saved, 60),
            mean_duration_ms: self.sums.duration_ms.checked_div(self.sums.timed),
            transfer_bytes: self.sums.transfer,
        }
    }
}

/// A part of a whole in percent, with two decimals.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| hundredths(100 * part, whole))
}

/// A quotient with two decimals.
fn hundredths(of: u64, by: u64) -> f64 {
    rounded(of as f64 / by as f64)
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// How much more this is than that, in percent of that.
fn change(now: Decimal, then: Decimal) -> Option<f64> {
    let percent = ((now - then) * Decimal::ONE_HUNDRED).checked_div(then)?;
    percent.round_dp(2).to_f64()
}

/// What is known of one scenario so far.
#[derive(Default)]
struct OneScenario {
    account: Account,
    last_date: Date,
    /// Of the latest day that was stated.
    stated: Option<(Date, Stated)>,
}

/// What cells are shown with.
pub struct Known {
    /// Prices.
    pub rates: Rates,
    /// Scenarios by id.
    pub scenarios: HashMap<String, Scenario>,
    /// The tenant's day.
    pub today: Date,
}

impl Known {
    /// The scenario as it is now, where that may be told to an owner.
    fn scenario(&self, owner: Owner, by_id: bool, id: &str) -> Option<&Scenario> {
        self.scenarios.get(id).filter(|scenario| by_id && scenario.is_known_to(owner, self.today))
    }
}

/// Metrics in the making.
pub struct Fold<'q> {
    question: &'q Question,
    sources: &'q [Source],
    known: &'q Known,
    types: BTreeMap<OperationType, Account>,
    clients: Vec<Account>,
    days: BTreeMap<Date, Account>,
    scenarios: HashMap<(usize, bool, String), OneScenario>,
    previous: Account,
    achieved: BTreeMap<Achievement, u64>,
    last_sync_at: Option<Timestamp>,
}

impl<'q> Fold<'q> {
    /// Nothing yet: every day, type and client stands there with zeros.
    pub fn new(question: &'q Question, sources: &'q [Source], known: &'q Known) -> Self {
        let days = question.from.series(jiff::Span::new().days(1)).take_while(|date| *date <= question.to);
        Self {
            question,
            sources,
            known,
            types: question.types().into_iter().map(|one| (one, Account::default())).collect(),
            clients: vec![Account::default(); sources.len()],
            days: days.map(|date| (date, Account::default())).collect(),
            scenarios: HashMap::new(),
            previous: Account::default(),
            achieved: BTreeMap::new(),
            last_sync_at: None,
        }
    }

    /// Takes in what is asked for of a day of the `n`th source.
    pub fn take(&mut self, n: usize, sheet: &Sheet) {
        let rate = self.known.rates.on(sheet.owner, sheet.date);
        for (subject, cell) in sheet.cells.iter().filter(|(subject, _)| self.question.wants(subject)) {
            let costs = Costs::of_cell(cell, rate);
            self.types.entry(subject.operation_type).or_default().take(cell, costs.clone());
            self.days.entry(sheet.date).or_default().take(cell, costs.clone());
            self.clients[n].take(cell, costs.clone());
            self.last_sync_at = self.last_sync_at.max(sheet.told_at);
            let one = self.scenarios.entry((n, subject.by_id, subject.scenario.clone())).or_default();
            one.account.take(cell, costs);
            one.last_date = one.last_date.max(sheet.date);
            if let Some(stated) = &cell.stated
                && one.stated.as_ref().is_none_or(|(date, _)| *date <= sheet.date)
            {
                one.stated = Some((sheet.date, stated.clone()));
            }
        }
    }

    /// How many scenarios there are so far.
    pub fn scenarios(&self) -> usize {
        self.scenarios.len()
    }

    /// Takes in what is asked for of a day of the window before, where a sheet is needed to tell it.
    pub fn take_previous(&mut self, sheet: &Sheet) {
        let rate = self.known.rates.on(sheet.owner, sheet.date);
        let wanted = sheet.cells.iter().filter(|(subject, _)| self.question.wants(subject));
        wanted.for_each(|(_, cell)| self.previous.take(cell, Costs::of_cell(cell, rate)));
    }

    /// The same by its totals.
    pub fn take_previous_total(&mut self, total: &DayTotal) {
        let rate = self.known.rates.on(total.owner, total.date);
        for (_, sums) in total.types.iter().filter(|(one, _)| self.question.wants_type(**one)) {
            self.previous.add(&Account { sums: *sums, costs: Costs::of_sums(sums, rate) });
        }
    }

    /// Takes in what was achieved on a day.
    pub fn take_achieved(&mut self, day: &Achieved) {
        for (achievement, n) in day.counts() {
            *self.achieved.entry(achievement).or_default() += n;
        }
    }

    /// The metrics of all that was taken in.
    pub fn finish(self, time_zone: String, pending_days: BTreeSet<Date>) -> Metrics {
        let length = self.question.days();
        let average = |account: &Account| hundredths(account.sums.operations, u64::try_from(length).unwrap_or(1));
        let sum = |accounts: &mut dyn Iterator<Item = &Account>| {
            accounts.fold(Account::default(), |mut sum, one| {
                sum.add(one);
                sum
            })
        };
        let total = sum(&mut self.types.values());
        let of_type = |is_call: bool| {
            let wanted = self.types.iter().filter(|(one, _)| (**one == OperationType::Call) == is_call);
            sum(&mut wanted.map(|(_, account)| account))
        };
        let previous = self.question.compare.then(|| {
            let (start_date, end_date) = self.question.before();
            let operations = |account: &Account| Decimal::from(account.sums.operations);
            Previous {
                start_date,
                end_date,
                daily_average: average(&self.previous),
                operations_change: change(operations(&total), operations(&self.previous)),
                cost_change: change(total.costs.usd().0, self.previous.costs.usd().0),
                success_rate_change: total
                    .success_rate()
                    .zip(self.previous.success_rate())
                    .map(|(now, then)| rounded(now - then)),
                figures: self.previous.figures(),
            }
        });
        let mut by_scenario: Vec<OfScenario> = self
            .scenarios
            .iter()
            .map(|((n, by_id, scenario), one)| self.of_scenario(*n, *by_id, scenario, one))
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
            previous,
            call_operations: of_type(true).figures(),
            non_call_operations: of_type(false).figures(),
            by_operation_type: self
                .types
                .iter()
                .map(|(operation_type, account)| OfType { operation_type: *operation_type, figures: account.figures() })
                .collect(),
            by_scenario,
            by_client: std::iter::zip(self.sources, &self.clients)
                .filter(|(source, account)| source.owner != Owner::Unmapped || account.sums != Sums::default())
                .map(|(source, account)| OfClient {
                    client_id: source.owner.client(),
                    client_slug: source.slug.clone(),
                    client_name: source.name.clone(),
                    mapped: source.owner != Owner::Unmapped,
                    figures: account.figures(),
                })
                .collect(),
            by_day: self.days.iter().map(|(date, account)| OfDay { date: *date, figures: account.figures() }).collect(),
            achieved: self
                .achieved
                .iter()
                .map(|(achievement, count)| OfAchievement {
                    achievement: *achievement,
                    count: *count,
                    cost_usd_each: total
                        .costs
                        .usd()
                        .0
                        .checked_div((*count).into())
                        .map(|each| Amount(each.round_dp(4))),
                })
                .collect(),
            pending_days,
        }
    }

    fn of_scenario(&self, n: usize, by_id: bool, scenario: &str, one: &OneScenario) -> OfScenario {
        let owner = self.sources[n].owner;
        let known = self.known.scenario(owner, by_id, scenario);
        let told = known.and_then(|known| known.told.as_ref());
        let stated = one.stated.as_ref().map(|(_, stated)| stated);
        let name = known.map(|known| &known.name).or(stated.map(|stated| &stated.name));
        let length = u64::try_from(self.question.days()).unwrap_or(1);
        OfScenario {
            client_id: owner.client(),
            mapped: owner != Owner::Unmapped,
            scenario_id: by_id.then(|| scenario.to_owned()),
            scenario_name: name.map_or_else(|| scenario.to_owned(), Clone::clone),
            status: told
                .map(|told| told.status)
                .or(stated.map(|stated| stated.status))
                .unwrap_or(ScenarioStatus::Active),
            operations_limit: known.and_then(|known| known.daily_limit).or(stated.and_then(|stated| stated.limit)),
            daily_average: hundredths(one.account.sums.operations, length),
            figures: one.account.figures(),
            last_date: one.last_date,
        }
    }
}

/// A line of the CSV form: what a scenario did on a day.
pub fn line(subject: &Subject, cell: &Cell, sheet: &Sheet, source: &Source, known: &Known) -> [String; 17] {
    let scenario = known.scenario(sheet.owner, subject.by_id, &subject.scenario);
    let stated = cell.stated.as_ref().map(|stated| stated.name.clone());
    let name = scenario.map(|scenario| scenario.name.clone()).or(stated).unwrap_or_else(|| subject.scenario.clone());
    let costs = Costs::of_cell(cell, known.rates.on(sheet.owner, sheet.date));
    let others = costs.others();
    let (amount, currency) = match others.first() {
        Some(cost) => (cost.amount, cost.currency.clone()),
        None => (costs.usd(), "USD".into()),
    };
    [
        sheet.date.to_string(),
        sheet.owner.client().map(|client| client.to_string()).unwrap_or_default(),
        source.slug.clone().unwrap_or_default(),
        if subject.by_id { subject.scenario.clone() } else { String::new() },
        name,
        subject.operation_type.word().into(),
        cell.operations.to_string(),
        cell.centicredits.map(|n| Amount::hundredths(n).to_string()).unwrap_or_default(),
        amount.to_string(),
        currency,
        cell.succeeded.to_string(),
        cell.warned.to_string(),
        cell.failed.to_string(),
        cell.empty.to_string(),
        hundredths(cell.seconds_saved, 60).to_string(),
        cell.transfer.to_string(),
        (sheet.owner != Owner::Unmapped).to_string(),
    ]
}

/// What stands in the first line.
pub const HEADINGS: [&str; 17] = [
    "date",
    "client_id",
    "client_slug",
    "scenario_id",
    "scenario_name",
    "operation_type",
    "operations_count",
    "credits",
    "cost",
    "currency",
    "success_count",
    "warning_count",
    "error_count",
    "empty_count",
    "minutes_saved",
    "transfer_bytes",
    "mapped",
];
