//! `GET /api/v1/alerts`: what should be looked at, and what is over.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    alert::{Alert, Kind, State},
    boot::{Aws, Missing},
    cursor::{self, Paging},
    gate::{Gate, Person, Role},
    http::{Call, Fields, Reply},
    id::ClientId,
    key,
    secrets::Vault,
    table::{Listed, Row, Table},
    tenant::Client,
};
use utoipa::{IntoParams, ToSchema};

use super::AlertView;
use make_operations::sight::Sight;

/// For one page so many rows are read at a time, and so many times at most.
const PAGE: u16 = 100;
const MOST_PAGES: usize = 10;

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

/// Which alerts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only those that stand so; without it, all but those that are over.
    state: Option<State>,
    /// Only those of this client.
    client_id: Option<ClientId>,
    /// Only those of this kind.
    kind: Option<Kind>,
}

/// A page of alerts.
#[derive(Serialize, ToSchema)]
#[schema(as = Alerts)]
pub struct Shown {
    /// Those that opened last come first.
    alerts: Vec<AlertView>,
    /// Goes on from here; null at the end. A filtered page may hold fewer than asked for, and still have a next one.
    next_cursor: Option<String>,
}

/// Alerts, those that opened last first. Those that are over are kept for 90 days; there is one for each kind and subject.
///
/// Agents see those of clients, supervisors and above those of the company and of what is unmapped, too; people who are
/// limited to a client see that one's. Another client, or one that does not exist, is 404.
#[utoipa::path(
    get,
    path = "/api/v1/alerts",
    operation_id = "alert_list",
    tag = "alerts",
    params(Filter, Paging),
    responses((status = 200, description = "A page of alerts", body = Shown))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let mut given = call.parameters();
    let paging = Paging::read(&mut given);
    let filter = Filter::read(given)?;
    filter.may(&deps.table, &person).await?;

    let keyring = deps.vault.keyring().await?;
    let (sight, list) = (Sight::from(&person), filter.name());
    let after = paging.after(&keyring, &call, person.tenant, &list)?;
    let takes = |alert: &Alert| sight.sees(alert.subject.owner) && filter.takes(alert);
    let (alerts, more) = page(&deps.table, &person, usize::from(paging.limit), after, takes).await?;
    let next_cursor = more.map(|after| cursor::write(&keyring, person.tenant, &list, &after, call.now)).transpose()?;

    Ok(Reply::ok(Shown { alerts: alerts.into_iter().map(Into::into).collect(), next_cursor }))
}

async fn page(
    table: &Table,
    person: &Person,
    wanted: usize,
    after: Option<String>,
    takes: impl Fn(&Alert) -> bool,
) -> Result<(Vec<Alert>, Option<String>)> {
    let mut after = after.map(|text| read(&text)).transpose()?;
    let mut shown: Vec<Alert> = Vec::new();
    let from = key::alerts_by_time(person.tenant, Timestamp::UNIX_EPOCH, "");
    let to = key::alerts_by_time(person.tenant, Timestamp::MAX, "\u{10ffff}");
    for _ in 0..MOST_PAGES {
        let listed = table.list_index_newest(&from, &to, after.as_ref(), PAGE).await?;
        let mut alerts: Vec<Alert> = table.find_all(&listed.iter().map(Listed::key).collect::<Vec<_>>()).await?;
        alerts.sort_by_key(|alert| std::cmp::Reverse((alert.opened_at, alert.id)));
        for alert in alerts.into_iter().filter(|alert| takes(alert)) {
            if shown.len() == wanted {
                let last = shown.last().and_then(|alert| Some(Listed::of(&alert.key(), &alert.index()?)));
                return Ok((shown, last.as_ref().map(write).transpose()?));
            }
            shown.push(alert);
        }
        if listed.len() < usize::from(PAGE) {
            return Ok((shown, None));
        }
        after = listed.into_iter().next_back();
    }
    Ok((shown, after.as_ref().map(write).transpose()?))
}

fn write(listed: &Listed) -> Result<String> {
    serde_json::to_string(listed).map_err(|cause| Error::internal("the end of a page", cause))
}

fn read(text: &str) -> Result<Listed> {
    serde_json::from_str(text)
        .map_err(|_| Error::invalid("?cursor", "is not a cursor of this list; begin again without one"))
}

impl Filter {
    fn read(mut given: Fields) -> Result<Self> {
        let (state, client_id, kind) = (given.parsed("state"), given.parsed("client_id"), given.parsed("kind"));
        given.build(|| Some(Self { state, client_id, kind }))
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

    fn takes(&self, alert: &Alert) -> bool {
        self.state.map_or_else(|| alert.is_on(), |state| alert.state == state)
            && self.kind.is_none_or(|kind| alert.kind == kind)
            && self.client_id.is_none_or(|client| alert.subject.owner.client() == Some(client))
    }

    /// What a cursor is bound to besides its tenant.
    fn name(&self) -> String {
        format!("alerts {:?} {:?} {:?}", self.state, self.client_id, self.kind)
    }
}
