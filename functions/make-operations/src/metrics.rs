//! `GET /api/make-operations/metrics`: what scenarios used, cost and achieved in a range of days.

mod fold;
mod question;
mod source;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use futures::{StreamExt, TryStreamExt, stream};
use http::header;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Role},
    http::{Call, Reply},
    id::TenantId,
    key,
    table::{Page, Table},
    tenant,
    usage::Usage,
};

use crate::day;
use fold::Fold;
use question::Question;
use source::Source;

pub use fold::Metrics;

/// So many clients are read at once.
const ABREAST: usize = 8;
/// Rows that are read in one request.
const PAGE: u16 = 1_000;
/// So many rows are read for one answer. A client without any counts as one.
const MOST: usize = 20_000;

/// What asking needs.
pub struct Deps {
    /// Who may call.
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

/// What scenarios used, cost and achieved from one day to another, both included: in all, by scenario, by type of
/// operation, for calls and for the rest, by client, and by day without holes.
///
/// Without `client_id` and `client_slug` this is the whole tenant: all clients and, for supervisors and above, the company.
/// People who are limited to a client see that client alone; every other answers 404. Days are those that the sender
/// stated; what day it is today is cut in the tenant's time zone. At most 366 days; the last 30 unless stated.
///
/// Averages are over all days of the range, also those without usage. Rates are in percent of the executions whose end is
/// known, null where there are none. At most 20,000 rows are read for one answer: where there are more, it is 400 and the range has
/// to be narrowed. Good for 30 seconds; ask again with `If-None-Match`.
#[utoipa::path(
    get,
    path = "/api/make-operations/metrics",
    operation_id = "make_operations_metrics",
    tag = "make-operations",
    params(
        ("client_id" = Option<String>, Query, description = "Only this client"),
        ("client_slug" = Option<String>, Query, description = "Only this client, by its slug; in place of `client_id`"),
        ("start_date" = Option<String>, Query, description = "First day, `YYYY-MM-DD`; 29 days before the last unless given"),
        ("end_date" = Option<String>, Query, description = "Last day, `YYYY-MM-DD`; today unless given"),
        ("preset" = Option<String>, Query, description = "In place of the dates: `24h` (today and yesterday, for usage comes by the day), `7d`, `30d` or `90d` (so many days, the last is today)"),
        ("operation_type" = Option<shared::usage::OperationType>, Query, description = "Only operations of this type"),
        ("scenario_id" = Option<String>, Query, description = "Only this scenario"),
    ),
    responses((status = 200, description = "The metrics", body = Metrics))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let zone = tenant::zone(&deps.table, person.tenant).await?;
    let question = Question::read(&call, day::today(&zone, call.now))?;
    let sources = source::all(&deps.table, &person, &question).await?;

    let fold = Mutex::new(Fold::new(&question, &sources));
    let seen = AtomicUsize::new(0);
    let take = |n: usize, rows: Vec<Usage>| {
        let read = rows.len().max(1);
        if seen.fetch_add(read, Ordering::Relaxed) + read > MOST {
            return Err(too_much());
        }
        let mut fold = fold.lock().unwrap_or_else(PoisonError::into_inner);
        rows.into_iter().for_each(|row| fold.take(n, row));
        Ok(())
    };
    stream::iter(sources.iter().enumerate())
        .map(Ok)
        .try_for_each_concurrent(ABREAST, |(n, source)| {
            let take = &take;
            read(&deps.table, person.tenant, &question, source, move |rows| take(n, rows))
        })
        .await?;
    let metrics = fold.into_inner().unwrap_or_else(PoisonError::into_inner).finish(zone.into());

    Ok(Reply::ok(metrics).header(header::CACHE_CONTROL, "private, max-age=30").tagged(&call))
}

/// Reads one source, a page at a time: the rows themselves are never held together.
async fn read(
    table: &Table,
    tenant: TenantId,
    question: &Question,
    source: &Source,
    take: impl Fn(Vec<Usage>) -> Result<()>,
) -> Result<()> {
    let range = key::usage_between(tenant, source.client, question.from, question.to);
    let mut page = Page::first(PAGE);
    loop {
        let found = table.list(&range, page.clone()).await?;
        take(found.rows)?;
        match found.more {
            Some(after) => page.after = Some(after),
            None => return Ok(()),
        }
    }
}

fn too_much() -> Error {
    let detail = "holds more than 20,000 rows: ask for fewer days, or for one client at a time";
    Error::invalid("?start_date", detail)
}
