//! `GET /api/v1/make-operations/advice`: what would make it cheaper, or keep it running.

mod ledger;
mod rules;

use http::header;
use jiff::{ToSpan, civil::Date};
use serde::Serialize;
use shared::{
    Result,
    gate::Role,
    http::{Call, Reply},
    id::ClientId,
    key,
    money::{Amount, Cost},
    tenant,
};
use utoipa::ToSchema;

use crate::{
    Deps,
    whose::{self, Whose},
};
use ledger::Ledger;

/// So many days before today are looked at.
const BACK: i64 = 30;

/// So many suggestions are told; an answer may have 6 MB (Lambda quotas), and nobody reads more.
const MOST: usize = 500;

/// Suggestions.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageAdvice)]
pub struct Advices {
    /// The first day that was looked at.
    #[schema(value_type = String, format = Date)]
    from: Date,
    /// The last one: yesterday.
    #[schema(value_type = String, format = Date)]
    to: Date,
    /// Those that save the most credits first; 500 at most.
    suggestions: Vec<Suggestion>,
}

/// A suggestion, with what it stands on.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageSuggestion)]
pub struct Suggestion {
    kind: Kind,
    /// The client that the scenario ran for last; null for the company, and for what is mapped to nobody.
    client_id: Option<ClientId>,
    scenario_id: String,
    scenario_name: String,
    /// What to do, in a sentence.
    proposal: String,
    evidence: Evidence,
    /// What it would save in a month of 30 days, by the evidence; null where that cannot be worked out.
    saves: Option<Saves>,
}

/// What a suggestion is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageSuggestionKind)]
pub enum Kind {
    /// At least 100 runs, four of five of which ended well and did nothing, of a scenario that no webhook and no call starts.
    PollingFindsNothing,
    /// At least 20 runs, failures on three days or more, and of 95 % certainty more than 5 % of them.
    ErrorsRepeat,
    /// Four fifths of its daily limit were used on three days or more, while another one of the same owner never used a
    /// tenth of its own.
    LimitIsNear,
    /// Switched on for 30 days or more, and never run in them.
    NeverRuns,
    /// Ten or more runs ended incomplete and wait for somebody.
    IncompletePileUp,
}

/// What a suggestion stands on. What does not belong to its kind is left out.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = UsageEvidence)]
pub struct Evidence {
    /// Days with runs among those that were looked at; of failures, the days on which some failed.
    #[schema(value_type = Vec<String>)]
    days: Vec<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_count: Option<u64>,
    /// Runs that ended well and did nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    empty_count: Option<u64>,
    /// Of all runs, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 97.2)]
    empty_rate: Option<f64>,
    /// Credits that these cost in a month of 30 days: one each.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>, example = 8400.0)]
    empty_credits: Option<Amount>,
    /// Seconds between its runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_seconds: Option<u64>,
    /// What these seconds should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed_interval_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_count: Option<u64>,
    /// Of all runs, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_rate: Option<f64>,
    /// It is more than this with a certainty of 95 %: the lower bound of the Wilson interval, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_rate_at_least: Option<f64>,
    /// Hours since the day began in which most of them fell, the worst first; three at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hours: Vec<HourView>,
    /// Operations that there may be in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    operations_limit: Option<u64>,
    /// The most that it used of these in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    operations_most: Option<u64>,
    /// The one that idles.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<Idle>,
    /// Runs that wait for somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete_count: Option<u64>,
}

/// Failures of an hour of the day.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageFailingHour)]
pub struct HourView {
    /// 0 is the first one.
    hour: u8,
    error_count: u64,
}

/// A scenario that hardly uses its limit.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageIdleScenario)]
pub struct Idle {
    scenario_id: String,
    scenario_name: String,
    operations_limit: u64,
    operations_most: u64,
}

/// What a suggestion would save in a month.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageSavings)]
pub struct Saves {
    #[schema(value_type = f64, example = 7560.0)]
    credits: Amount,
    /// At yesterday's price; null where none held.
    cost: Option<Cost>,
}

/// What the last 30 days suggest: a schedule that mostly finds nothing, failures that repeat, a limit that is near while
/// another idles, a scenario that is switched on and never runs, incomplete runs that pile up. Each names its evidence, and
/// what it would save where that can be worked out; nothing is changed by it. The kinds tell their thresholds.
///
/// Of one client, of the company (`client_id=company`), or of all that the person may see, like the metrics. A check that
/// finds nothing costs one credit (Make.com, how features use credits). Good for five minutes.
#[utoipa::path(
    get,
    path = "/api/v1/make-operations/advice",
    operation_id = "make_advice",
    tag = "forecasts",
    params(
        ("client_id" = Option<String>, Query, description = "Only this client, or `company`"),
        ("client_slug" = Option<String>, Query, description = "Only this client, by its slug; in place of `client_id`"),
    ),
    responses((status = 200, description = "The suggestions", body = Advices))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let mut query = call.parameters();
    let named = whose::read(&mut query);
    query.build(|| Some(()))?;
    let whose = Whose::find(&deps.table, &person, named).await?;
    let zone = tenant::zone(&deps.table, person.tenant).await?;
    let today = call.now.to_zoned(zone.rules().clone()).date();
    let (from, to) = (today.saturating_sub(BACK.days()), today.saturating_sub(1.day()));
    let rates = deps.table.list_all(&key::rates(person.tenant)).await?.into();

    let ledger = Ledger::read(&deps.table, person.tenant, &whose.owners, (from, to), call.now, rates).await?;
    let mut suggestions = rules::all(&ledger);
    suggestions.truncate(MOST);
    ledger.tell_hours(&deps.table, &mut suggestions).await?;

    let advice = Advices { from, to, suggestions };
    Ok(Reply::ok(advice).header(header::CACHE_CONTROL, "private, max-age=300").tagged(&call))
}
