//! `GET /api/v1/make-operations/scenarios`: every scenario that was heard of.

use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    cursor::{self, Paging},
    gate::{Gate, Person, Role},
    http::{Call, Fields, Reply},
    id::ClientId,
    key,
    scenario::{Owner, Scenario},
    secrets::Vault,
    table::{Page, Row, Table},
    tenant::{self, Client},
};
use utoipa::{IntoParams, ToSchema};

use super::shown::ScenarioView;
use crate::{
    day,
    scenarios::{MOST_PAGES, PAGE},
    sight::Sight,
};

/// What listing needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that authenticate cursors.
    pub vault: Vault,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()? })
    }
}

/// Which scenarios.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `false`: only those that nobody has mapped yet. `true`: only the others.
    mapped: Option<bool>,
    /// Only those that run for this client today.
    client_id: Option<ClientId>,
}

/// A page of scenarios.
#[derive(Serialize, ToSchema)]
#[schema(as = MakeScenarios)]
pub struct Scenarios {
    /// In the order of their ids.
    scenarios: Vec<ScenarioView>,
    /// Goes on from here; null at the end. A filtered page may hold fewer than asked for, and still have a next one.
    next_cursor: Option<String>,
}

/// The scenarios that were heard of, mapped or not, in the order of their ids. One that is new stands here as `unmapped`
/// from its first run on, and what it did is counted apart until somebody maps it.
///
/// Agents see those that run for clients today, supervisors and above the company's and unmapped ones, too; people who are
/// limited to a client see those that are its today. Another client, or one that does not exist, is 404.
#[utoipa::path(
    get,
    path = "/api/v1/make-operations/scenarios",
    operation_id = "make_scenario_list",
    tag = "make-operations",
    params(Filter, Paging),
    responses((status = 200, description = "A page of scenarios", body = Scenarios))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let mut given = call.parameters();
    let paging = Paging::read(&mut given);
    let filter = Filter::read(given)?;
    filter.may(&deps.table, &person).await?;
    let today = day::today(&tenant::zone(&deps.table, person.tenant).await?, call.now);

    let keyring = deps.vault.keyring().await?;
    let (sight, list) = (Sight::from(&person), filter.name());
    let after = paging.after(&keyring, &call, person.tenant, &list)?;
    let takes = |scenario: &Scenario| {
        let owner = scenario.on(today).owner;
        sight.sees(owner) && filter.takes(scenario, owner)
    };
    let (scenarios, more) = page(&deps.table, &person, paging.limit, after, takes).await?;
    let next_cursor = more.map(|after| cursor::write(&keyring, person.tenant, &list, &after, call.now)).transpose()?;

    let scenarios = scenarios.into_iter().map(|scenario| ScenarioView::of(scenario, today, sight)).collect();
    Ok(Reply::ok(Scenarios { scenarios, next_cursor }))
}

async fn page(
    table: &Table,
    person: &Person,
    limit: u16,
    after: Option<String>,
    takes: impl Fn(&Scenario) -> bool,
) -> Result<(Vec<Scenario>, Option<String>)> {
    let wanted = usize::from(limit);
    let range = key::scenarios(person.tenant);
    let mut page = Page { limit: PAGE, after, newest_first: false };
    let mut shown: Vec<Scenario> = Vec::new();
    for _ in 0..MOST_PAGES {
        let found = table.list(&range, page.clone()).await?;
        shown.extend(found.rows.into_iter().filter(|scenario| takes(scenario)));
        if shown.len() > wanted {
            shown.truncate(wanted);
            let last = shown.last().map(|scenario| scenario.id.clone());
            return Ok((shown, last));
        }
        match found.more {
            Some(after) if shown.len() < wanted => page.after = Some(after),
            more => return Ok((shown, more)),
        }
    }
    Ok((shown, page.after))
}

impl Filter {
    fn read(mut given: Fields) -> Result<Self> {
        let mapped = given.parsed("mapped");
        let client_id = given.optional("client_id");
        given.build(|| Some(Self { mapped, client_id }))
    }

    /// A client that the person may ask for.
    async fn may(&self, table: &Table, person: &Person) -> Result<()> {
        let Some(client) = self.client_id else { return Ok(()) };
        let own = person.client.is_none_or(|own| own == client);
        match own && table.find(key::client(person.tenant, client)).await?.is_some() {
            true => Ok(()),
            false => Err(Error::NotFound { kind: Client::KIND }),
        }
    }

    fn takes(&self, scenario: &Scenario, owner: Owner) -> bool {
        self.mapped.is_none_or(|mapped| mapped != scenario.mapping.is_empty())
            && self.client_id.is_none_or(|client| owner == Owner::Client(client))
    }

    /// What a cursor is bound to besides its tenant.
    fn name(&self) -> String {
        format!("scenarios {:?} {:?}", self.mapped, self.client_id)
    }
}
