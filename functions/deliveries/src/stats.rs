//! `GET /api/v1/endpoints/{id}/stats`: how an endpoint did over a time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shared::{
    Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    hour::{Hour, Times},
    http::{Call, Reply},
    id::EndpointId,
    key,
    table::Table,
    tenant::{self, Zone},
};
use utoipa::{IntoParams, ToSchema};

/// The longest time that is asked for at once: it bounds what is read.
const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);
/// A time up to this is told by the hour, a longer one by the day, unless asked otherwise.
const BY_HOUR: SignedDuration = SignedDuration::from_hours(48);

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

/// Which time.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// From the beginning of the hour that this lies in: a day before `to`, unless given.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Timestamp,
    /// Up to the end of the hour that this lies in: now, unless given. At most 31 days after `from`.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Timestamp,
    /// What the series is cut into: hours for up to two days, else days, unless given.
    #[param(value_type = Option<Cut>)]
    by: Cut,
}

/// What a series is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SeriesCut)]
pub enum Cut {
    /// Hours.
    Hour,
    /// Days in the tenant's time zone. An hour belongs to the day that it begins in.
    Day,
}

/// How an endpoint did.
#[derive(Serialize, ToSchema)]
pub struct EndpointStats {
    /// The endpoint.
    endpoint_id: EndpointId,
    /// From when.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Of the whole time.
    totals: Figures,
    /// What the series is cut into.
    by: Cut,
    /// Each hour or day in which anything happened, oldest first.
    series: Vec<Stretch>,
}

/// How it did in one hour or day.
#[derive(Serialize, ToSchema)]
pub struct Stretch {
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    start: Timestamp,
    /// How it did.
    #[serde(flatten)]
    figures: Figures,
}

/// Figures of attempts. Those of deliveries that a person had started again stand under `replays` alone.
#[derive(Serialize, ToSchema)]
pub struct Figures {
    /// Attempts.
    total: u64,
    /// Attempts that succeeded.
    succeeded: u64,
    /// Attempts that failed.
    failed: u64,
    /// The part that succeeded, from 0 to 1; null without any.
    success_rate: Option<f64>,
    /// Mean answer time in milliseconds. What was given up counts with the time that was waited.
    average_response_ms: Option<u64>,
    /// Half of the attempts took no longer, in milliseconds; at most 5 % off, as those below.
    p50_response_ms: Option<u64>,
    /// 95 of 100 took no longer.
    p95_response_ms: Option<u64>,
    /// 99 of 100 took no longer.
    p99_response_ms: Option<u64>,
    /// Deliveries that were settled: delivered, or failed for good.
    deliveries: u64,
    /// Those that failed for good.
    deliveries_failed: u64,
    /// Attempts that each of them took, on average; null without any.
    tries_per_delivery: Option<f64>,
    /// Attempts of deliveries that a person had started again.
    replays: u64,
}

/// Statistics of one endpoint: attempts, how many succeeded, how long answers took, and how many tries a delivery took; of
/// a time of up to 31 days, and by hour or day.
///
/// For supervisors and above. Whole hours are counted. Statistics are kept for 92 days.
#[utoipa::path(
    get,
    path = "/api/v1/endpoints/{id}/stats",
    operation_id = "delivery_stats",
    tag = "deliveries",
    params(("id" = EndpointId, Path, description = "The endpoint"), Asked),
    responses((status = 200, description = "How it did", body = EndpointStats))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let id: EndpointId = call.part("id", "endpoint")?;
    let asked = Asked::read(&call)?;

    deps.table.get(key::endpoint(tenant, id)).await?;
    let zone = match asked.by {
        Cut::Hour => Zone::UTC,
        Cut::Day => tenant::zone(&deps.table, tenant).await?,
    };
    let hours = deps.table.list_all(&key::hours(tenant, id, asked.from, asked.to)).await?;

    Ok(Reply::ok(asked.tell(id, &hours, &zone)))
}

impl Asked {
    fn read(call: &Call) -> Result<Self> {
        let mut given = call.parameters();
        let to = given.or("to", call.now);
        let from = given
            .optional::<Timestamp>("from")
            .or(to.and_then(|to| to.checked_sub(SignedDuration::from_hours(24)).ok()));
        let long = from.zip(to).map(|(from, to)| to.duration_since(from)).unwrap_or_default();
        if long.is_negative() {
            given.fault("to", "must not be before `from`");
        }
        if long > LONGEST {
            given.fault("from", "must be at most 31 days before `to`");
        }
        let by = given.or("by", if long <= BY_HOUR { Cut::Hour } else { Cut::Day });
        given.build(|| Some(Self { from: from?, to: to?, by: by? }))
    }

    fn tell(self, endpoint_id: EndpointId, hours: &[Hour], zone: &Zone) -> EndpointStats {
        let mut all = Sum::default();
        let mut series: BTreeMap<Timestamp, Sum> = BTreeMap::new();
        for hour in hours {
            all.add(hour);
            series.entry(self.by.start(hour.hour, zone)).or_default().add(hour);
        }
        EndpointStats {
            endpoint_id,
            from: self.from,
            to: self.to,
            totals: all.tell(),
            by: self.by,
            series: series.into_iter().map(|(start, sum)| Stretch { start, figures: sum.tell() }).collect(),
        }
    }
}

impl Cut {
    /// When the hour or day begins that a moment lies in.
    fn start(self, at: Timestamp, zone: &Zone) -> Timestamp {
        let hour = Timestamp::from_second(at.as_second().div_euclid(3_600) * 3_600).unwrap_or(at);
        match self {
            Self::Hour => hour,
            Self::Day => hour.to_zoned(zone.rules().clone()).start_of_day().map_or(hour, |day| day.timestamp()),
        }
    }
}

/// Hours added up.
#[derive(Default)]
struct Sum {
    succeeded: u64,
    failed: u64,
    took_ms: u64,
    settled: u64,
    failed_for_good: u64,
    tries: u64,
    replays: u64,
    times: Times,
}

impl Sum {
    fn add(&mut self, hour: &Hour) {
        self.succeeded += hour.succeeded;
        self.failed += hour.failed;
        self.took_ms += hour.took_ms;
        self.settled += hour.settled;
        // Within each hour a success settles its delivery. An hour of before settled ones were counted has successes
        // alone: they must not be taken from those of another.
        self.failed_for_good += hour.settled.saturating_sub(hour.succeeded);
        self.tries += hour.tries;
        self.replays += hour.replays;
        self.times.merge(&hour.times);
    }

    fn tell(self) -> Figures {
        let total = self.succeeded + self.failed;
        let of = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        Figures {
            total,
            succeeded: self.succeeded,
            failed: self.failed,
            success_rate: of(self.succeeded, total),
            average_response_ms: self.took_ms.checked_div(total),
            p50_response_ms: self.times.quantile(0.5),
            p95_response_ms: self.times.quantile(0.95),
            p99_response_ms: self.times.quantile(0.99),
            deliveries: self.settled,
            deliveries_failed: self.failed_for_good,
            tries_per_delivery: of(self.tries, self.settled),
            replays: self.replays,
        }
    }
}
