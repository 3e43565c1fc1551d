//! `GET /api/v1/billing/{client_id}/{month}`: a month with its lines, as JSON or CSV.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use shared::{
    Error, Result,
    gate::Role,
    http::{Call, Reply},
    id::ClientId,
    key,
    statement::{Line, Month, Statement},
    table::{Row, Table},
    tenant,
};
use utoipa::ToSchema;

use crate::{
    Deps,
    account::{self, Account},
    book::Book,
    close, comma, count, lines,
    shown::{CorrectionHead, LineView, TotalsView},
};

/// What a function can answer (Lambda quotas: 6 MB), less some room.
const LARGEST: usize = 5_500_000;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BillingFormat)]
pub enum Format {
    /// Everything.
    Json,
    /// A line for each line, and one for each total.
    Csv,
}

/// The month of a client, or of the company.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingMonth)]
pub struct MonthView {
    /// Null for the company.
    pub(crate) client_id: Option<ClientId>,
    pub(crate) client_slug: Option<String>,
    pub(crate) client_name: Option<String>,
    #[schema(example = "2026-10")]
    pub(crate) month: String,
    /// The zone that its days are cut in.
    #[schema(example = "Europe/Lisbon")]
    pub(crate) time_zone: String,
    /// Whether it is closed. Until then this is a draft: what the month comes to so far.
    #[serde(rename = "final")]
    pub(crate) is_final: bool,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) closed_at: Option<Timestamp>,
    /// Who closed it.
    pub(crate) closed_by: Option<String>,
    /// Of a draft: days of which something was told that does not stand in it yet; it will within minutes.
    #[schema(value_type = Vec<String>)]
    pub(crate) pending_days: Vec<Date>,
    /// What stands in the statement.
    pub(crate) lines: Vec<LineView>,
    /// What these come to.
    pub(crate) totals: TotalsView,
    /// SHA-256 of the lines as they are stored.
    pub(crate) sha256: Option<String>,
    /// What was told later, first to last.
    pub(crate) corrections: Vec<CorrectionView>,
    /// What lines and corrections come to.
    pub(crate) balance: TotalsView,
}

/// A correction of a closed month.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingCorrectionLines)]
pub struct CorrectionView {
    #[serde(flatten)]
    pub(crate) head: CorrectionHead,
    /// By how much each line changes.
    pub(crate) lines: Vec<LineView>,
}

/// A month of a client, or of the company (`company` in place of the client's id): its statement, the corrections since, and
/// what both come to; before it is closed the same as a draft (`"final": false`). A line is a scenario at one price: where
/// the price changes within the month it has two. `format=csv` answers the same as CSV, with lines for the totals.
///
/// For supervisors and above. People who are limited to a client see its own; everything else answers 404.
#[utoipa::path(
    get,
    path = "/api/v1/billing/{client_id}/{month}",
    operation_id = "billing_get",
    tag = "billing",
    params(
        ("client_id" = String, Path, description = "The client, or `company`"),
        ("month" = String, Path, description = "The month, `YYYY-MM`"),
        ("format" = Option<Format>, Query, description = "`json` unless given"),
    ),
    responses((status = 200, description = "The month", content((MonthView = "application/json"), (String = "text/csv"))))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Supervisor).await?;
    let account = account::named(&deps.table, &person, &call).await?;
    let month: Month = call.part("month", Statement::KIND)?;
    let mut query = call.parameters();
    let format = query.or("format", Format::Json);
    let format = query.build(|| format)?;

    let view = view(&deps.table, account, month, call.now).await?;

    let reply = match format {
        Format::Json => Reply::ok(view),
        Format::Csv => comma::reply(&view)?,
    };
    if reply.body.len() > LARGEST {
        let detail = "has more lines than one answer holds: csv holds about twice as many as json";
        return Err(Error::invalid("?format", detail));
    }
    Ok(reply)
}

async fn view(table: &Table, account: Account, month: Month, now: Timestamp) -> Result<MonthView> {
    let (tenant, owner) = (account.tenant, account.owner);
    let Some(statement) = table.find(key::statement(tenant, owner, month)).await? else {
        return draft(table, account, month, now).await;
    };
    let stated = lines::read(table, tenant, owner, month, &statement.sha256).await?;
    let mut book = Book::default();
    book.take(&stated);
    let mut corrections = Vec::new();
    for correction in table.list_all(&key::corrections(tenant, owner, month)).await? {
        let later = lines::read(table, tenant, owner, month, &correction.sha256).await?;
        book.take(&later);
        corrections.push(CorrectionView { head: (&correction).into(), lines: shown(&later) });
    }
    Ok(MonthView {
        client_id: owner.client(),
        client_slug: account.slug,
        client_name: account.name,
        month: month.to_string(),
        time_zone: statement.time_zone,
        is_final: true,
        closed_at: Some(statement.closed_at),
        closed_by: Some(statement.closed_by),
        pending_days: Vec::new(),
        lines: shown(&stated),
        totals: (&statement.totals).into(),
        sha256: Some(statement.sha256),
        corrections,
        balance: (&book.totals()).into(),
    })
}

async fn draft(table: &Table, account: Account, month: Month, now: Timestamp) -> Result<MonthView> {
    let (tenant, owner) = (account.tenant, account.owner);
    let pending_days = close::pending(table, tenant, month).await?;
    let zone = tenant::zone(table, tenant).await?;
    let today = now.to_zoned(zone.rules().clone()).date();
    let book = count::month(table, tenant, owner, month, today).await?.book;
    let totals = book.totals();
    Ok(MonthView {
        client_id: owner.client(),
        client_slug: account.slug,
        client_name: account.name,
        month: month.to_string(),
        time_zone: zone.into(),
        is_final: false,
        closed_at: None,
        closed_by: None,
        pending_days,
        lines: shown(&book.lines()),
        totals: (&totals).into(),
        sha256: None,
        corrections: Vec::new(),
        balance: (&totals).into(),
    })
}

fn shown(lines: &[Line]) -> Vec<LineView> {
    lines.iter().map(LineView::from).collect()
}
