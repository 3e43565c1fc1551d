//! `PUT /api/v1/make-operations/scenarios/{id}/mapping`: whose a scenario is, and what for.

use jiff::{ToSpan, civil::Date};
use serde::Deserialize;
use serde_json::Value;
use shared::{
    Error, Fault, Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Fields, Reply},
    id::ClientId,
    key,
    scenario::{Mapped, Owner, STATEMENTS, Scenario},
    statement::closed_until,
    table::Table,
    tenant,
    usage::OperationType,
};
use utoipa::ToSchema;

use super::shown::ScenarioView;
use crate::{
    clients::{Clients, Named},
    day, given,
    mapping::{self, Plan},
    sight::Sight,
};

/// A run saves a week at most.
const MOST_MINUTES: u64 = 10_080;
/// A rhythm is a year at most.
const LONGEST_RHYTHM: u64 = 366 * 24 * 60;

/// What mapping needs.
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

/// Whose a scenario is, and what for. What is left out is none.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form of what is read field by field")]
#[schema(as = NewScenarioMapping)]
pub struct NewMapping {
    /// The client that it runs for. One of this, `client_slug` and `company` is needed.
    client_id: Option<ClientId>,
    /// The client, by its slug.
    client_slug: Option<String>,
    /// `true`: it runs for the company itself.
    company: Option<bool>,
    /// `general` unless given.
    operation_type: Option<OperationType>,
    /// Minutes of somebody's work that a run saves, where it did something: up to 10,080, with up to 2 decimals, kept to
    /// the second. 0 unless given.
    #[schema(example = 2.5)]
    minutes_saved: Option<f64>,
    /// What it is for, up to 500 characters.
    description: Option<String>,
    /// Operations that there may be in a day.
    operations_limit: Option<u64>,
    /// It should run once in so many minutes at least.
    #[schema(minimum = 1, maximum = 527040)]
    expected_every_minutes: Option<u32>,
    /// The first day on which owner, type and minutes hold, `YYYY-MM-DD`: today unless given, at most 400 days back and a
    /// year ahead. `always` for all days. A scenario that nobody has mapped yet is mapped for all days, whatever is given.
    #[schema(example = "2026-11-01")]
    from: Option<String>,
}

/// Maps a scenario: whose it is and what for, from a day on. What it was before that day stays as it was; what was said
/// earlier of that day and of later ones is replaced. Description, limit and rhythm hold at once.
///
/// For owners. `If-Match` names the version that was seen: 428 without it, 412 where somebody has changed it since. Metrics
/// of the days that change owner follow within minutes; until then those days are among their `pending_days`. 409 where it
/// would change a day of a closed month, of whoever's; only the first mapping of a scenario may, and closed months take it as
/// a correction. 409, too, where the mapping would have more than 100 statements.
#[utoipa::path(
    put,
    path = "/api/v1/make-operations/scenarios/{id}/mapping",
    operation_id = "make_scenario_map",
    tag = "make-operations",
    params(
        ("id" = String, Path, description = "Make.com's id of the scenario"),
        ("If-Match" = String, Header, description = "The `etag` of the scenario that was seen"),
    ),
    request_body = NewMapping,
    responses((status = 200, description = "The scenario as it is now", body = ScenarioView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id = super::named(&call)?;
    let table = deps.table.clone().consistent();
    let scenario = table.get(key::scenario(tenant, &id)).await?;
    call.seen()?.includes(&scenario.etag())?;
    let today = day::today(&tenant::zone(&table, tenant).await?, call.now);
    let plan = read(&table, &scenario, call.fields()?, today).await?;

    if plan.mapping.len() > STATEMENTS {
        let detail = "a mapping has 100 statements at most: say what holds from an earlier day on, or always";
        return Err(Error::conflict(detail));
    }
    leaves_closed_months(&table, &scenario, &plan).await?;

    let mapped = mapping::write(&table, &scenario, plan, today, call.now).await?.ok_or(Error::Stale)?;

    let view = ScenarioView::of(mapped, today, Sight::All);
    Ok(view.tag(Reply::ok(&view)))
}

/// A scenario that has an owner keeps it on the days of closed months.
async fn leaves_closed_months(table: &Table, scenario: &Scenario, plan: &Plan) -> Result<()> {
    let stated = plan.mapping.last().filter(|_| !scenario.mapping.is_empty());
    let (Some(stated), Some(closed)) = (stated, closed_until(table, scenario.tenant, None).await?) else {
        return Ok(());
    };
    if stated.from.is_some_and(|from| from > closed) {
        return Ok(());
    }
    Err(Error::conflict(format!("months up to {closed} are closed: let it hold from a later day on")))
}

/// What the body makes of the scenario, or all that is wrong with it.
async fn read(table: &Table, scenario: &Scenario, mut body: Fields, today: Date) -> Result<Plan> {
    let named = Named { id: body.optional("client_id"), slug: body.optional("client_slug") };
    let company = body.or("company", false);
    if company.is_some_and(|company| company == named.is_given()) {
        body.fault("company", "give one of client_id, client_slug and company: true");
    }
    let operation_type = body.or("operation_type", OperationType::General);
    let seconds_saved = seconds_saved(&mut body);
    let description = given::text(&mut body, "description", 500);
    let daily_limit = whole(&mut body, "operations_limit");
    let expected_every_s = rhythm(&mut body);
    let from = from(&mut body, today);

    let clients = Clients::find(table, scenario.tenant, std::iter::once(&named)).await?;
    let mut unknown: Vec<Fault> = Vec::new();
    let client = clients.resolve(&named, "", &mut unknown);
    let (plan, mut faults) = body.finish(|| {
        let stated = Mapped {
            from: from?,
            owner: client.unwrap_or_default().map_or(Owner::Company, Owner::Client),
            operation_type: operation_type?,
            seconds_saved: seconds_saved?,
        };
        let mapping = mapping::stating(&scenario.mapping, stated);
        Some(Plan { mapping, description, daily_limit, expected_every_s })
    });
    faults.append(&mut unknown);
    plan.filter(|_| faults.is_empty()).ok_or(Error::Invalid(faults))
}

fn seconds_saved(body: &mut Fields) -> Option<u32> {
    let given: Value = body.or("minutes_saved", 0.into())?;
    let text = given.as_str().map_or_else(|| given.to_string(), ToOwned::to_owned);
    let hundredths = given::scaled(&text, 2).filter(|n| *n <= MOST_MINUTES * 100);
    if hundredths.is_none() {
        body.fault("minutes_saved", "must be from 0 to 10,080 with up to 2 decimals");
    }
    u32::try_from((hundredths? * 60 + 50) / 100).ok()
}

fn whole(body: &mut Fields, field: &str) -> Option<u64> {
    let given: Value = body.optional(field)?;
    given::whole(body, field, &given)
}

fn rhythm(body: &mut Fields) -> Option<u32> {
    let given: Value = body.optional("expected_every_minutes")?;
    let minutes = given.as_u64().filter(|minutes| (1..=LONGEST_RHYTHM).contains(minutes));
    if minutes.is_none() {
        body.fault("expected_every_minutes", "must be a whole number from 1 to 527,040");
    }
    u32::try_from(minutes? * 60).ok()
}

/// The first day, or that there is none; nothing where a fault was noted.
fn from(body: &mut Fields, today: Date) -> Option<Option<Date>> {
    let text: String = match body.optional::<String>("from") {
        None if !body.is_faultless() => return None,
        None => return Some(Some(today)),
        Some(text) => text,
    };
    match day::read(&text) {
        _ if text == "always" => Some(None),
        Some(day) if day > today.saturating_add(366.days()) => {
            body.fault("from", "lies more than a year ahead");
            None
        }
        Some(day) if day < today.saturating_sub(day::BACK.days()) => {
            body.fault("from", "lies more than 400 days back: give a later day, or always");
            None
        }
        Some(day) => Some(Some(day)),
        None => {
            body.fault("from", "must be a day as YYYY-MM-DD, or always");
            None
        }
    }
}
