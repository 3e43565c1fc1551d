//! `POST /api/v1/billing/{client_id}/{month}/close`: a month becomes final.

use jiff::{Timestamp, civil::Date};
use shared::{
    Error, Result,
    gate::Role,
    http::{Call, Reply},
    id::TenantId,
    idempotency, key,
    scenario::Owner,
    statement::{Closed, Month, Statement},
    table::{Row, Table},
    tenant::{self, Zone},
};

use crate::{
    Deps, account,
    count::{self, Counted},
    lines,
    shown::StatementHead,
};

/// Closes the month of a client, or of the company (`company` in place of the client's id): what was done and what it cost
/// becomes a statement that nothing ever changes, neither runs that are told later, nor another mapping, nor another price.
/// What differs later becomes a correction, on demand.
///
/// For owners. 409 with what is missing while the month is not over in the tenant's time zone, while a day of it was told
/// of and is not counted yet (minutes), and while Make.com's log is not read to its end, where it is read at all. Closing a
/// month that is closed answers 200 with its statement.
///
/// Costs of lines are exact. The total of each currency is rounded once, half to even, to the currency's minor unit
/// (ISO 4217).
#[utoipa::path(
    post,
    path = "/api/v1/billing/{client_id}/{month}/close",
    operation_id = "billing_close",
    tag = "billing",
    params(
        ("client_id" = String, Path, description = "The client, or `company`"),
        ("month" = String, Path, description = "The month, `YYYY-MM`"),
    ),
    responses(
        (status = 201, description = "The month is closed: its statement, without the lines", body = StatementHead),
        (status = 200, description = "It was closed already: its statement", body = StatementHead),
    )
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let owner = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let account = account::named(&deps.table, &owner, &call).await?;
    let month: Month = call.part("month", Statement::KIND)?;

    idempotency::once(&deps.table, &call, owner.tenant, &owner.subject, async || {
        let (statement, is_new) =
            close(&deps.table, owner.tenant, account.owner, month, &owner.subject, call.now).await?;
        let head = StatementHead::from(&statement);
        Ok(if is_new { Reply::created(head) } else { Reply::ok(head) })
    })
    .await
}

/// The statement of the month over a consistent table, and whether it was closed just now.
async fn close(
    table: &Table,
    tenant: TenantId,
    owner: Owner,
    month: Month,
    who: &str,
    now: Timestamp,
) -> Result<(Statement, bool)> {
    if let Some(closed) = table.find(key::statement(tenant, owner, month)).await? {
        return Ok((closed, false));
    }
    let zone = tenant::zone(table, tenant).await?;
    let Counted { book, source } = complete(table, tenant, owner, month, &zone, now).await?;
    let written = lines::write(&book.lines())?;
    written.store(table, tenant, owner, month).await?;

    let totals = book.totals();
    let closed =
        Closed { tenant, owner, month, closed_at: now, closed_by: who.into(), corrections: 0, balance: totals.clone() };
    let statement = Statement {
        tenant,
        owner,
        month,
        time_zone: zone.into(),
        totals,
        lines: written.lines,
        sha256: written.sha256,
        source,
        closed_at: now,
        closed_by: who.into(),
    };
    if table.transact().create(&statement).create(&closed).send().await? {
        return Ok((statement, true));
    }
    // Somebody else was first: theirs holds.
    Ok((table.get(key::statement(tenant, owner, month)).await?, false))
}

/// The month as it is counted, where nothing of it is missing: neither before it was read nor behind.
pub async fn complete(
    table: &Table,
    tenant: TenantId,
    owner: Owner,
    month: Month,
    zone: &Zone,
    now: Timestamp,
) -> Result<Counted> {
    over(month, zone, now)?;
    read_to_its_end(table, tenant, month, zone).await?;
    folded(table, tenant, month).await?;
    let today = now.to_zoned(zone.rules().clone()).date();
    let counted = count::month(table, tenant, owner, month, today).await?;
    folded(table, tenant, month).await?;
    Ok(counted)
}

fn over(month: Month, zone: &Zone, now: Timestamp) -> Result<()> {
    if now.to_zoned(zone.rules().clone()).date() > month.last() {
        return Ok(());
    }
    let zone = String::from(zone.clone());
    Err(Error::conflict(format!("the month is not over: its last day is {} in {zone}", month.last())))
}

async fn read_to_its_end(table: &Table, tenant: TenantId, month: Month, zone: &Zone) -> Result<()> {
    let Some(pull) = table.find(key::make_pull(tenant)).await? else {
        return Ok(());
    };
    let end = month.last().tomorrow().and_then(|day| day.to_zoned(zone.rules().clone()));
    let end = end.map_err(|cause| Error::internal("the end of a month", cause))?.timestamp();
    let so_far = match pull.read_to {
        Some(read_to) if read_to >= end => return Ok(()),
        Some(read_to) => format!("Make.com's log is read up to {read_to}, and the month ends at {end}"),
        None => "Make.com's log has not been read yet".into(),
    };
    Err(Error::conflict(match pull.failure {
        None => format!("{so_far}: ask for a pull, or wait for the next"),
        Some(failure) => format!(
            "{so_far}. What stands in the way: {failure}. The pull is tried again by itself. Where Make.com refuses a \
             scenario for good, delete it there or give the account anew with a token that may read it (PUT \
             /api/v1/make/account), and ask for a pull"
        ),
    }))
}

async fn folded(table: &Table, tenant: TenantId, month: Month) -> Result<()> {
    let pending = pending(table, tenant, month).await?;
    if pending.is_empty() {
        return Ok(());
    }
    let days: Vec<_> = pending.iter().map(Date::to_string).collect();
    Err(Error::conflict(format!(
        "days of it were told of and are not counted yet: {}; they will be within minutes",
        days.join(", ")
    )))
}

/// The days of a month that were told of and are not counted yet.
pub async fn pending(table: &Table, tenant: TenantId, month: Month) -> Result<Vec<Date>> {
    let noted = table.list_all(&key::unfolded_between(tenant, month.first(), month.last())).await?;
    Ok(noted.into_iter().map(|note| note.date).collect())
}
