//! `GET /api/v1/billing`: the months that are closed.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    gate::{Person, Role},
    http::{Call, Reply},
    id::ClientId,
    key,
    scenario::Owner,
    statement::{Closed, Month},
    table::{Page, Row, Table},
    tenant::Client,
};
use utoipa::ToSchema;

use crate::{Deps, shown::TotalsView};

/// At most so many months of a client, or of all, are listed: the latest ones.
const MOST: u16 = 100;

/// Closed months.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingMonths)]
pub struct Months {
    /// The latest first.
    months: Vec<MonthEntry>,
}

/// A closed month.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingMonthEntry)]
pub struct MonthEntry {
    /// Null for the company.
    client_id: Option<ClientId>,
    #[schema(example = "2026-10")]
    month: String,
    #[schema(value_type = String, format = DateTime)]
    closed_at: Timestamp,
    /// Who closed it.
    closed_by: String,
    /// How many corrections there are.
    correction_count: u32,
    /// What statement and corrections come to.
    balance: TotalsView,
}

impl From<Closed> for MonthEntry {
    fn from(closed: Closed) -> Self {
        Self {
            client_id: closed.owner.client(),
            month: closed.month.to_string(),
            closed_at: closed.closed_at,
            closed_by: closed.closed_by,
            correction_count: closed.corrections,
            balance: (&closed.balance).into(),
        }
    }
}

/// Which months.
enum Wanted {
    In(Month),
    Of(Owner),
    Latest,
}

/// The months that are closed, with what they come to by now: those of a month, or of a client (`company`: of the company),
/// the latest 100; without either the latest 100 of all.
///
/// For supervisors and above. People who are limited to a client see its own.
#[utoipa::path(
    get,
    path = "/api/v1/billing",
    operation_id = "billing_list",
    tag = "billing",
    params(
        ("month" = Option<String>, Query, description = "Only this month, `YYYY-MM`"),
        ("client_id" = Option<String>, Query, description = "Only this client, or `company`; in place of `month`"),
    ),
    responses((status = 200, description = "Closed months", body = Months))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Supervisor).await?;
    let wanted = read(&call, &person)?;

    let mut months = match wanted {
        Wanted::In(month) => in_month(&deps.table, &person, month).await?,
        Wanted::Of(owner) => of_owner(&deps.table, &person, owner).await?,
        Wanted::Latest => latest(&deps.table, &person).await?,
    };

    months.sort_by_key(|closed| (std::cmp::Reverse(closed.month), closed.owner));
    Ok(Reply::ok(Months { months: months.into_iter().map(MonthEntry::from).collect() }))
}

fn read(call: &Call, person: &Person) -> Result<Wanted> {
    let mut query = call.parameters();
    let month: Option<Month> = query.parsed("month");
    let client: Option<String> = query.optional("client_id");
    if month.is_some() && client.is_some() {
        query.fault("client_id", "stands in place of month: give one of the two");
    }
    query.build(|| Some(()))?;
    match (month, client, person.client) {
        (Some(month), ..) => Ok(Wanted::In(month)),
        (None, Some(client), own) => {
            let unknown = || Error::NotFound { kind: Client::KIND };
            let owner = match client.as_str() {
                "company" => Owner::Company,
                id => Owner::Client(id.parse().map_err(|_| unknown())?),
            };
            if own.is_some_and(|own| owner != Owner::Client(own)) {
                return Err(unknown());
            }
            Ok(Wanted::Of(owner))
        }
        (None, None, Some(own)) => Ok(Wanted::Of(Owner::Client(own))),
        (None, None, None) => Ok(Wanted::Latest),
    }
}

async fn in_month(table: &Table, person: &Person, month: Month) -> Result<Vec<Closed>> {
    match person.client {
        Some(own) => {
            let entry = table.find(key::closed(person.tenant, month, Owner::Client(own))).await?;
            Ok(entry.into_iter().collect())
        }
        None => table.list_all(&key::closed_in(person.tenant, month)).await,
    }
}

async fn of_owner(table: &Table, person: &Person, owner: Owner) -> Result<Vec<Closed>> {
    if let Owner::Client(client) = owner {
        table.get(key::client(person.tenant, client)).await?;
    }
    let page = Page { newest_first: true, ..Page::first(MOST) };
    let statements = table.list(&key::statements(person.tenant, owner), page).await?.rows;
    if statements.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<_> = statements.iter().map(|one| key::closed(person.tenant, one.month, owner)).collect();
    table.find_all(&keys).await
}

async fn latest(table: &Table, person: &Person) -> Result<Vec<Closed>> {
    let page = Page { newest_first: true, ..Page::first(MOST) };
    Ok(table.list(&key::all_closed(person.tenant), page).await?.rows)
}
