//! `POST /api/v1/billing/{client_id}/{month}/corrections`: what a closed month has become since.

use serde::Deserialize;
use shared::{
    Error, Result,
    gate::{Person, Role},
    http::{Call, Fields, Reply},
    idempotency, key,
    statement::{Closed, Correction, Month, Statement},
    table::{Row, Table},
    tenant,
};
use utoipa::ToSchema;

use crate::{
    Deps,
    account::{self, Account},
    book::{self, Book},
    close,
    count::Counted,
    lines,
    shown::CorrectionHead,
};

/// How often it is tried where others correct the same month at the same time.
const TRIES: usize = 5;

/// Why a month is corrected.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form of what is read field by field")]
#[schema(as = NewCorrection)]
pub struct NewCorrection {
    /// 1 to 500 characters.
    #[schema(example = "Runs of the last evening came a day late")]
    reason: String,
}

/// Corrects a closed month: what it is by now, less the statement and the corrections so far, becomes later lines. A line
/// that went is a negative one, so everything that was ever told adds up to what the month is now.
///
/// For owners. 409 where nothing differs, where the month is not closed, and while a day of it was told of and is not
/// counted yet. Corrections are numbered and as final as the statement. Amounts are those by which the rounded balance
/// changes: they add up without a cent too many. Sent again with its `Idempotency-Key`, it is the same correction.
#[utoipa::path(
    post,
    path = "/api/v1/billing/{client_id}/{month}/corrections",
    operation_id = "billing_correct",
    tag = "billing",
    params(
        ("client_id" = String, Path, description = "The client, or `company`"),
        ("month" = String, Path, description = "The month, `YYYY-MM`"),
    ),
    request_body = NewCorrection,
    responses((status = 201, description = "The correction, without its lines", body = CorrectionHead))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let owner = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let account = account::named(&deps.table, &owner, &call).await?;
    let month: Month = call.part("month", Statement::KIND)?;

    idempotency::once(&deps.table, &call, owner.tenant, &owner.subject, async || {
        let reason = reason(call.fields()?)?;
        let correction = correct(&deps.table, &account, month, reason, &owner, &call).await?;
        Ok(Reply::created(CorrectionHead::from(&correction)))
    })
    .await
}

async fn correct(
    table: &Table,
    account: &Account,
    month: Month,
    reason: String,
    who: &Person,
    call: &Call,
) -> Result<Correction> {
    let (tenant, owner) = (account.tenant, account.owner);
    let request =
        call.term("idempotency-key")?.map(|name| lines::digest([who.subject.as_str(), "/", name].into_iter()));
    for _ in 0..TRIES {
        let Some(statement) = table.find(key::statement(tenant, owner, month)).await? else {
            return Err(Error::conflict("the month is not closed: until then it changes by itself"));
        };
        let earlier = table.list_all(&key::corrections(tenant, owner, month)).await?;
        // The answer to an earlier request of this name was lost.
        if let Some(done) = earlier.iter().find(|one| request.is_some() && one.request == request) {
            return Ok(done.clone());
        }
        let stated = stated(table, &statement, &earlier).await?;
        let zone = tenant::zone(table, tenant).await?;
        let Counted { book, source } = close::complete(table, tenant, owner, month, &zone, call.now).await?;
        let difference = book.less(&stated);
        let lines = difference.lines();
        if lines.is_empty() {
            return Err(Error::conflict("nothing differs from what was stated"));
        }
        let written = lines::write(&lines)?;
        written.store(table, tenant, owner, month).await?;
        let balance = book.totals();
        let number = u32::try_from(earlier.len()).unwrap_or(u32::MAX) + 1;
        let correction = Correction {
            tenant,
            owner,
            month,
            number,
            reason: reason.clone(),
            totals: book::step(&difference, &stated.totals(), &balance),
            lines: written.lines,
            sha256: written.sha256,
            source,
            made_at: call.now,
            made_by: who.subject.clone(),
            request: request.clone(),
        };
        let register = table.change::<Closed>(key::closed(tenant, month, owner));
        let register = register.set("corrections", number).set("balance", balance).when("corrections", number - 1);
        if table.transact().create(&correction).change(register).send().await? {
            return Ok(correction);
        }
    }
    Err(Error::unavailable("table", "others correct the same month all the time"))
}

/// All that was stated so far.
async fn stated(table: &Table, statement: &Statement, corrections: &[Correction]) -> Result<Book> {
    let Statement { tenant, owner, month, .. } = *statement;
    let mut book = Book::default();
    let digests = std::iter::once(&statement.sha256).chain(corrections.iter().map(|one| &one.sha256));
    for sha256 in digests {
        book.take(&lines::read(table, tenant, owner, month, sha256).await?);
    }
    Ok(book)
}

fn reason(mut body: Fields) -> Result<String> {
    let reason = body.required::<String>("reason").map(|text| text.trim().to_owned());
    if let Some(text) = &reason
        && (text.is_empty() || text.chars().count() > 500 || text.contains(char::is_control))
    {
        body.fault("reason", "must have 1 to 500 characters");
    }
    body.build(|| reason)
}
