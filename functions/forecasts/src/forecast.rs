//! `GET /api/v1/make-operations/forecast`: where the month ends.

use http::header;
use jiff::civil::Date;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use shared::{
    Result,
    allowance::Allowance,
    gate::{Person, Role},
    http::{Call, Reply},
    id::ClientId,
    key,
    money::Amount,
    scenario::Owner,
    sheet::Sums,
    tenant::{self, Zone},
};
use utoipa::ToSchema;

use crate::{
    Deps,
    ahead::{Ahead, Rest, Totals},
    allowance,
    history::History,
    model::{Days, FEWEST},
    scenarios::{self, ScenarioLimit},
    whose::{self, Whose},
};

/// Where a month ends.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageForecast)]
pub struct Forecast {
    /// The client that was asked for; null for the company, and for all.
    client_id: Option<ClientId>,
    #[schema(example = "2026-11")]
    month: String,
    /// The last day that is known whole: yesterday, or the day before as long as nothing was told since yesterday ended. Null
    /// where there is none in this month.
    #[schema(value_type = Option<String>, format = Date)]
    known_until: Option<Date>,
    /// The tenant's time zone: days are cut in it.
    #[schema(example = "Europe/Lisbon")]
    time_zone: String,
    /// What the forecast stands on.
    basis: Basis,
    /// Days before today since the first with any usage, 56 at most.
    history_days: usize,
    /// Days since the first of the month of which something was told that does not stand in this yet; it will within minutes.
    #[schema(value_type = Vec<String>)]
    pending_days: Vec<Date>,
    /// The month so far, today included.
    so_far: SoFar,
    /// At the end of the month; null where too little is known.
    operations: Option<Ahead>,
    /// The same of credits; null also where they have been known for less than 14 days. Days and scenarios whose credits are
    /// not known count as none.
    credits: Option<Ahead>,
    /// Whether credits are known of all of these days.
    credits_complete: bool,
    /// The same of costs, by currency.
    costs: Vec<CostAhead>,
    /// How many credits there may be in the month; null where people may not see it.
    allowance: Option<AllowanceAhead>,
    /// Scenarios with a limit of operations for each day, those first that are nearest to it, 500 at most; of one client or
    /// the company alone, null otherwise.
    scenario_limits: Option<Vec<ScenarioLimit>>,
}

/// What a forecast stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageForecastBasis)]
pub enum Basis {
    /// Weekdays and level of the last weeks.
    History,
    /// There are fewer than 14 days: nothing is made up.
    TooLittle,
}

/// A month so far.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageSoFar)]
pub struct SoFar {
    operations_count: u64,
    #[schema(value_type = f64, example = 4120.25)]
    credits: Amount,
}

/// A cost at the end of the month.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageCostAhead)]
pub struct CostAhead {
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
    #[serde(flatten)]
    ahead: Ahead,
}

/// How many credits there may be in a month, and when it has used them.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageAllowanceAhead)]
pub struct AllowanceAhead {
    /// Null where no limit is set.
    #[schema(value_type = Option<f64>, example = 10000.0)]
    credits_per_month: Option<Amount>,
    /// The version, for `If-Match` where it is set.
    etag: String,
    /// The day of this month on which it was reached, or is expected to be; null where on none.
    #[schema(value_type = Option<String>, format = Date)]
    reached_on: Option<Date>,
    /// In one of ten months it is reached before this day; null where in fewer it is reached at all.
    #[schema(value_type = Option<String>, format = Date)]
    reached_earliest: Option<Date>,
    /// In one of ten months it is reached after this day, or not at all: then null.
    #[schema(value_type = Option<String>, format = Date)]
    reached_latest: Option<Date>,
}

/// Where the month ends: operations, credits and costs, each with the interval that holds it in four of five months; and
/// when it has used what it may. Of one client (`client_id`, `client_slug`), of the company (`client_id=company`, for
/// supervisors and above), or of all that the person may see. People who are limited to a client see that one alone; every
/// other answers 404.
///
/// A day to come is expected at level × weekday. The weekday's share is the median, over the last eight weeks, of the day
/// over the mean of the seven days around it, drawn towards 1 by as much of its spread as noise explains. The level is
/// smoothed exponentially: level += 0.15 · (day − level × weekday). Today counts with what is expected of a whole day, or with
/// what it has used already where that is more; so does yesterday as long as nothing was told since it ended. The interval:
/// 400 paths of the same recursion with blocks of its own errors of the past, each block with either sign; between the 10th
/// and the 90th of 100. Costs are forecast at the prices of the days to come. With fewer than 14 days since the first with
/// usage there is no forecast: `"basis": "too_little"`.
///
/// After Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, sections 8.1, 8.7 and 11.4. Held
/// against last week's mean on made series (WAPE): of the rest of a month 11.7 % beside 13.4 %, of single days 23.6 % beside
/// 56.1 %, and 80 % of the months end within the interval; the area's README has the table. Good for 30 seconds; ask again
/// with `If-None-Match`.
#[utoipa::path(
    get,
    path = "/api/v1/make-operations/forecast",
    operation_id = "make_forecast",
    tag = "forecasts",
    params(
        ("client_id" = Option<String>, Query, description = "Only this client, or `company`"),
        ("client_slug" = Option<String>, Query, description = "Only this client, by its slug; in place of `client_id`"),
    ),
    responses((status = 200, description = "The forecast", body = Forecast))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let mut query = call.parameters();
    let named = whose::read(&mut query);
    query.build(|| Some(()))?;
    let whose = Whose::find(&deps.table, &person, named).await?;
    let zone = tenant::zone(&deps.table, person.tenant).await?;
    let now = call.now.to_zoned(zone.rules().clone());
    let rates = deps.table.list_all(&key::rates(person.tenant)).await?.into();
    let history = History::read(&deps.table, person.tenant, &whose.owners, &now, rates).await?;

    let forecast = forecast(deps, &person, &whose, &history, zone).await?;

    Ok(Reply::ok(forecast).header(header::CACHE_CONTROL, "private, max-age=30").tagged(&call))
}

async fn forecast(deps: &Deps, person: &Person, whose: &Whose, history: &History, zone: Zone) -> Result<Forecast> {
    let rest = Rest::of(history.today, history.open);
    let noted = key::unfolded_between(person.tenant, rest.month.first(), rest.month.last());
    let noted = deps.table.list_all(&noted).await?.into_iter().map(|note| note.date);
    let operations = history.series(|sums| sums.operations);
    let figures = |figure: fn(&Sums) -> u64, days: &Days| {
        rest.ahead(|date| figure(&history.sums(date)) as f64, &[(rest.today, days.clone())])
    };
    let credits = figures(|sums| sums.centicredits, &history.series(|sums| sums.centicredits));
    let allowance = match (whose.one, whose.is_all) {
        (None, false) => None,
        (owner, _) => {
            let allowance = deps.table.find(key::allowance(person.tenant, owner)).await?;
            Some(allowance_ahead(&rest, history, allowance.as_ref(), credits.as_ref()))
        }
    };
    let scenario_limits = match whose.one {
        Some(owner) => Some(scenarios::limits(&deps.table, person.tenant, owner, &rest).await?),
        None => None,
    };
    let operations_ahead = figures(|sums| sums.operations, &operations);
    let so_far = rest.so_far().fold(Sums::default(), |mut sums, date| {
        sums += history.sums(date);
        sums
    });
    Ok(Forecast {
        client_id: whose.one.and_then(Owner::client),
        month: rest.month.to_string(),
        known_until: rest.past().last(),
        time_zone: zone.into(),
        basis: if operations_ahead.is_some() { Basis::History } else { Basis::TooLittle },
        history_days: operations.known(),
        pending_days: noted.collect(),
        so_far: SoFar { operations_count: so_far.operations, credits: Amount::hundredths(so_far.centicredits) },
        operations: operations_ahead.map(|totals| totals.shown(0, 1.0)),
        credits: credits.map(|totals| totals.shown(2, 0.01)),
        credits_complete: !history.any(|sums| sums.uncredited > 0),
        costs: costs(&rest, history),
        allowance,
        scenario_limits,
    })
}

fn costs(rest: &Rest, history: &History) -> Vec<CostAhead> {
    let changes = history.prices_change(rest.month.last());
    let cost = |currency: String| {
        let series: Vec<_> = changes.iter().map(|date| (*date, history.priced(&currency, *date))).collect();
        let used = |date| history.cost(date, &currency).to_f64().unwrap_or_default();
        let ahead = rest.ahead(used, &series)?.shown(4, 1.0);
        Some(CostAhead { ahead, currency })
    };
    history.currencies(rest.month.last()).into_iter().filter_map(cost).collect()
}

fn allowance_ahead(
    rest: &Rest,
    history: &History,
    allowance: Option<&Allowance>,
    credits: Option<&Totals>,
) -> AllowanceAhead {
    let limit = allowance.and_then(|allowance| allowance.centicredits);
    let reached = limit.map(|limit| {
        // What was used was used, whatever is to come.
        let mut sum = 0;
        let was = rest.so_far().find(|date| {
            sum += history.sums(*date).centicredits;
            sum >= limit
        });
        let will = || Some(credits?.reached(limit as f64).map(|day| Some(rest.to_come().nth(day?)?.1)));
        was.map(|date| [Some(date); 3]).or_else(will).unwrap_or_default()
    });
    let [reached_earliest, reached_on, reached_latest] = reached.unwrap_or_default();
    AllowanceAhead {
        credits_per_month: limit.map(Amount::hundredths),
        etag: allowance::etag(allowance),
        reached_on,
        reached_earliest,
        reached_latest,
    }
}

const _: () = assert!(FEWEST == 14, "the document says so");
