//! `GET /api/v1/completeness`: what came in by itself, what had to be repaired, and how the source is.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    key,
    source::{Arrivals, Day, Source, SourceFault},
    table::Table,
    tenant::{self, Zone},
};
use utoipa::ToSchema;

use crate::{findings::Finding, run::marked};

/// The most days that are told at once, and how many are unless it is said.
const MOST_DAYS: i32 = 92;
const USUAL_DAYS: i32 = 7;
/// A source that is due is compared within ten minutes. One that has missed three of them is late.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// What telling needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()? })
    }
}

/// How complete what came in was.
#[derive(Serialize, ToSchema)]
pub struct Completeness {
    /// The first day.
    #[schema(value_type = String, format = Date)]
    from: Date,
    /// The last day.
    #[schema(value_type = String, format = Date)]
    to: Date,
    /// In which days are cut.
    time_zone: String,
    /// How the source is.
    source: SourceState,
    /// All days together.
    totals: Counts,
    /// Each day on which anything was found, by the day on which the rows changed.
    days: Vec<DayCounts>,
}

/// How a source is.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = CompletenessSourceState)]
pub struct SourceState {
    /// `not_configured`, `waiting` (it was not compared yet), `working`, `failing` (it could not be read, see `fault`), or
    /// `late`: it should have been compared at `late_since` and was not for half an hour, which is our own trouble.
    status: &'static str,
    /// When a source that is `late` should have been compared.
    #[schema(value_type = Option<String>, format = DateTime)]
    late_since: Option<Timestamp>,
    /// When it was compared last, with whatever success.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_run_at: Option<Timestamp>,
    /// When it last could be read.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_success_at: Option<Timestamp>,
    /// Up to when all tables were compared.
    #[schema(value_type = Option<String>, format = DateTime)]
    compared_to: Option<Timestamp>,
    /// How long ago that is. What changed in the last two minutes is left to its webhook.
    lag_seconds: Option<i64>,
    /// How often in a row it could not be read.
    failures: u32,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// Why.
    fault: Option<SourceFault>,
    /// What is wrong with its tables though they can be read. Each begins and ends with a notice.
    findings: Vec<Finding>,
}

/// What was found on one day.
#[derive(Serialize, ToSchema)]
#[schema(as = CompletenessDay)]
pub struct DayCounts {
    /// Which.
    #[schema(value_type = String, format = Date)]
    date: Date,
    #[serde(flatten)]
    counts: Counts,
}

/// What was found.
#[derive(Serialize, ToSchema)]
#[schema(as = CompletenessCounts)]
pub struct Counts {
    /// Versions of rows that came in by themselves, as far as the source still showed them when it was compared.
    live: u64,
    /// Versions of rows that nobody had reported.
    repaired: u64,
    /// Of both, the share that came in by itself: never rounded up, so 1 means all. Null where there was none.
    share_live: Option<f64>,
    /// Rows that could not be made events: larger than 380 kB, or without a usable `id`.
    skipped: u64,
    /// From the change of a row to us, of those that came in by themselves.
    live_latency: Option<Latency>,
    /// The same of those that were repaired.
    repaired_latency: Option<Latency>,
    /// How often the source was compared.
    runs: u64,
    /// Of these, how often it could not be read.
    failures: u64,
}

/// How long something took, in milliseconds. Quantiles are at most 1 % wrong; of repaired rows they are whole seconds, and
/// of live ones at most 43 minutes.
#[derive(Serialize, ToSchema)]
pub struct Latency {
    /// On average.
    mean_ms: u64,
    /// Half of them took no longer.
    p50_ms: u64,
    /// 95 of 100 took no longer.
    p95_ms: u64,
    /// The slowest.
    max_ms: u64,
}

/// How complete what came in was: for each day what came in by itself and what was repaired, with the time that it took;
/// and how the source is that it is compared with.
///
/// For supervisors. Days are the tenant's; `from` and `to` are both included, at most 92 days, and the last seven unless
/// given. A deletion leaves nothing to compare: one that nobody reported is not found.
#[utoipa::path(
    get,
    path = "/api/v1/completeness",
    operation_id = "completeness_get",
    tag = "completeness",
    params(
        ("from" = Option<String>, Query, format = Date, description = "First day, `YYYY-MM-DD`; six days before the last unless given"),
        ("to" = Option<String>, Query, format = Date, description = "Last day; today unless given"),
    ),
    responses((status = 200, description = "How complete", body = Completeness))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let zone = tenant::zone(&deps.table, tenant).await?;
    let (from, to) = asked(&call, &zone)?;

    let source = deps.table.find(key::source(tenant)).await?;
    let days = deps.table.list_all(&key::completeness_days(tenant, from, to)).await?;

    let mut all = Day::new(tenant, to);
    days.iter().try_for_each(|day| all.merge(day))?;
    Ok(Reply::ok(Completeness {
        from,
        to,
        time_zone: zone.into(),
        source: source.map_or_else(SourceState::none, |source| SourceState::of(source, call.now)),
        totals: Counts::of(&all),
        days: days.iter().map(|day| DayCounts { date: day.date, counts: Counts::of(day) }).collect(),
    }))
}

fn asked(call: &Call, zone: &Zone) -> Result<(Date, Date)> {
    let mut given = call.parameters();
    let (from, to): (Option<Date>, Option<Date>) = (given.parsed("from"), given.parsed("to"));
    let to = to.unwrap_or_else(|| call.now.to_zoned(zone.rules().clone()).date());
    let usual = || to.checked_sub((USUAL_DAYS - 1).days());
    let from = match from {
        Some(from) => Some(from),
        None => usual().ok(),
    };
    let days = from.and_then(|from| from.until(to).ok()).map(|span| span.get_days() + 1);
    match days {
        _ if !given.is_faultless() => {}
        Some(1..=MOST_DAYS) => {}
        _ => given.fault("from", "must be 0 to 91 days before `to`"),
    }
    given.build(|| Some((from?, to)))
}

impl SourceState {
    fn none() -> Self {
        Self { status: "not_configured", ..Self::default() }
    }

    fn of(source: Source, now: Timestamp) -> Self {
        let compared = source.tables.iter().map(|watched| marked(&source, watched)?.compared_to);
        let compared_to = compared.min().flatten();
        let findings = source.tables.iter().filter_map(|watched| Some(Finding::of(watched, marked(&source, watched)?)));
        let findings = findings.flatten().collect();
        let late_since = Some(source.due_at).filter(|due_at| now.duration_since(*due_at) > LATE);
        Self {
            status: match (late_since, source.failures, source.last_run_at) {
                (Some(_), ..) => "late",
                (None, 1.., _) => "failing",
                (None, 0, None) => "waiting",
                (None, 0, Some(_)) => "working",
            },
            late_since,
            last_run_at: source.last_run_at,
            last_success_at: source.last_success_at,
            compared_to,
            lag_seconds: compared_to.map(|to| now.duration_since(to).as_secs().max(0)),
            failures: source.failures,
            failing_since: source.failing_since,
            fault: source.fault,
            findings,
        }
    }
}

impl Counts {
    fn of(day: &Day) -> Self {
        Self {
            live: day.live.n,
            repaired: day.repaired.n,
            share_live: share(day.live.n, day.repaired.n),
            skipped: day.skipped,
            live_latency: Latency::of(&day.live, 1.0),
            repaired_latency: Latency::of(&day.repaired, 1_000.0),
            runs: day.runs,
            failures: day.failures,
        }
    }
}

/// Six digits, cut off and not rounded.
fn share(live: u64, repaired: u64) -> Option<f64> {
    let all = u128::from(live) + u128::from(repaired);
    let millionths = (u128::from(live) * 1_000_000).checked_div(all)?;
    Some(millionths as f64 / 1_000_000.0)
}

impl Latency {
    fn of(arrivals: &Arrivals, unit: f64) -> Option<Self> {
        let quantile =
            |part| arrivals.times.quantile(part).map(|value| ((value * unit).round() as u64).min(arrivals.max_ms));
        Some(Self {
            mean_ms: arrivals.total_ms.checked_div(arrivals.n)?,
            p50_ms: quantile(0.5)?,
            p95_ms: quantile(0.95)?,
            max_ms: arrivals.max_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_million_is_not_rounded_away() {
        assert_eq!(share(0, 0), None);
        assert_eq!(share(5, 0), Some(1.0));
        assert_eq!(share(0, 5), Some(0.0));
        assert_eq!(share(9_999_999, 1), Some(0.999_999));
        assert_eq!(share(9_998, 2), Some(0.9998));
    }
}
