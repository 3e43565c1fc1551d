//! `GET /api/make-operations/metrics`: what scenarios used, cost and achieved in a range of days.

mod fold;
mod question;
mod read;
mod source;

use http::header;
use jiff::civil::Date;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    csv::{self, harmless},
    gate::{Gate, Role},
    http::{Call, Reply},
    id::TenantId,
    key,
    scenario::Owner,
    table::Table,
    tenant,
};

use crate::day;
use fold::{Fold, HEADINGS, Known};
use question::{Format, Question};
use read::Pending;
use source::Source;

pub use fold::Metrics;
pub use shared::money::Amount;

/// So many cells are read for one answer: a cell is a scenario on a day.
const MOST: usize = 150_000;
/// So many scenarios are told in one answer: each takes 400 bytes and more.
const MOST_SCENARIOS: usize = 13_000;
/// What a function can answer (Lambda quotas: 6 MB), less some room.
const LARGEST: usize = 5_500_000;

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
/// operation, for calls and for the rest, by client, and by day without holes; and the equally long window before.
///
/// Without `client_id` and `client_slug` this is the whole tenant: all clients and, for supervisors and above, the company
/// and what nobody has mapped yet. People who are limited to a client see that client alone; every other answers 404. What
/// day it is is cut in the tenant's time zone. At most 366 days; the last 30 unless stated.
///
/// Of a scenario and day the runs tell what was used, where any are known, and Make.com's own count where that is higher;
/// otherwise what was synced. The cost is that of its credits at the price that held on that day for its client; where
/// credits or price are not known it is what was stated. Averages are over all days of the range, also those without usage.
/// Rates are in percent of the runs whose end is known, null where there are none.
///
/// A scenario that is somebody else's today is called as it was when its usage was stated, or by its id.
///
/// `format=csv` answers a line for each scenario, type and day. At most 150,000 of them are read for one answer, and it has
/// 5.5 MB at most: where there is more, it is 400 and the range has to be narrowed. Good for 30 seconds; ask again with
/// `If-None-Match`.
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
        ("compare" = Option<bool>, Query, description = "Whether the window before is told, too; true unless given"),
        ("format" = Option<Format>, Query, description = "`json` unless given"),
    ),
    responses((status = 200, description = "The metrics", content((Metrics = "application/json"), (String = "text/csv"))))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Agent).await?;
    let zone = tenant::zone(&deps.table, person.tenant).await?;
    let today = day::today(&zone, call.now);
    let question = Question::read(&call, today)?;
    let sources = source::all(&deps.table, &person, &question).await?;
    let known = known(&deps.table, person.tenant, today).await?;
    let pending = Pending::of(&deps.table, person.tenant, &sources, question.from, question.to).await?;

    let asked = Asked { table: &deps.table, tenant: person.tenant, question, sources, known, pending };
    let reply = match asked.question.format {
        Format::Json => Reply::ok(asked.metrics(zone.into()).await?),
        Format::Csv => asked.csv().await?,
    };
    if reply.body.len() > LARGEST {
        return Err(too_much());
    }
    Ok(reply.header(header::CACHE_CONTROL, "private, max-age=30").tagged(&call))
}

async fn known(table: &Table, tenant: TenantId, today: Date) -> Result<Known> {
    let scenarios = table.list_all(&key::scenarios(tenant)).await?;
    Ok(Known {
        rates: table.list_all(&key::rates(tenant)).await?.into(),
        scenarios: scenarios.into_iter().map(|scenario| (scenario.id.clone(), scenario)).collect(),
        today,
    })
}

/// A question, and what it takes to answer it.
struct Asked<'t> {
    table: &'t Table,
    tenant: TenantId,
    question: Question,
    sources: Vec<Source>,
    known: Known,
    pending: Pending,
}

impl Asked<'_> {
    async fn metrics(mut self, time_zone: String) -> Result<Metrics> {
        let left = std::mem::take(&mut self.pending.left);
        let mut fold = Fold::new(&self.question, &self.sources, &self.known);
        let mut seen = Seen::default();
        let range = (self.question.from, self.question.to);
        read::sheets(self.table, self.tenant, &self.sources, range, &self.pending, |n, sheet| {
            seen.more(sheet.cells.len())?;
            fold.take(n, sheet);
            if fold.scenarios() > MOST_SCENARIOS { Err(too_much()) } else { Ok(()) }
        })
        .await?;
        if self.question.client.is_none() && self.sources.iter().any(|source| source.owner == Owner::Company) {
            let achieved = key::all_achieved(self.tenant, self.question.from, self.question.to);
            self.table.list_all(&achieved).await?.iter().for_each(|day| fold.take_achieved(day));
        }
        if self.question.compare {
            let before = self.question.before();
            if self.question.is_of_one_scenario() {
                read::sheets(self.table, self.tenant, &self.sources, before, &Pending::default(), |_, sheet| {
                    fold.take_previous(sheet);
                    Ok(())
                })
                .await?;
            } else {
                let totals = read::totals(self.table, self.tenant, &self.sources, before).await?;
                totals.iter().for_each(|total| fold.take_previous_total(total));
            }
        }
        Ok(fold.finish(time_zone, left))
    }

    async fn csv(self) -> Result<Reply> {
        let mut lines = Vec::new();
        let mut seen = Seen::default();
        let range = (self.question.from, self.question.to);
        read::sheets(self.table, self.tenant, &self.sources, range, &self.pending, |n, sheet| {
            seen.more(sheet.cells.len())?;
            let wanted = sheet.cells.iter().filter(|(subject, _)| self.question.wants(subject));
            lines.extend(wanted.map(|(subject, cell)| fold::line(subject, cell, sheet, &self.sources[n], &self.known)));
            Ok(())
        })
        .await?;
        lines.sort();
        let lines = lines.into_iter().map(|line| line.map(harmless));
        let body = csv::lines(std::iter::once(HEADINGS.map(Into::into)).chain(lines))?;
        let name = format!("make-operations-{}-{}.csv", self.question.from, self.question.to);
        Ok(Reply::csv(&name, body))
    }
}

/// How many cells were read.
#[derive(Default)]
struct Seen(usize);

impl Seen {
    fn more(&mut self, cells: usize) -> Result<()> {
        self.0 += cells;
        if self.0 > MOST { Err(too_much()) } else { Ok(()) }
    }
}

fn too_much() -> Error {
    let detail = "holds too much for one answer: ask for fewer days, or for one client at a time";
    Error::invalid("?start_date", detail)
}
