//! `PUT /api/v1/make-operations/allowance`: how many credits there may be in a month.

use http::header;
use jiff::Timestamp;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    Error, Result,
    allowance::Allowance,
    gate::{Person, Role},
    http::{Call, Fields, Reply},
    id::ClientId,
    key,
    money::Amount,
    scenario::Owner,
    table::{Created, Table},
};
use utoipa::ToSchema;

use crate::{
    Deps,
    whose::{self, Named, Whose},
};

/// No allowance is larger.
const MOST: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

/// A limit of credits for each month.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form of what is read field by field")]
#[schema(as = NewAllowance)]
pub struct NewAllowance {
    /// For this client, or `company`. Without it and `client_slug` it is for all of the tenant.
    client_id: Option<String>,
    /// For the client with this slug.
    client_slug: Option<String>,
    /// Up to 1,000,000,000 with up to two decimals; null takes the limit away.
    #[schema(example = 10000)]
    credits_per_month: Option<f64>,
}

/// A limit of credits for each month.
#[derive(Serialize, ToSchema)]
#[schema(as = Allowance)]
pub struct AllowanceView {
    /// For which client; null where it is for the company, or for all.
    client_id: Option<ClientId>,
    /// Null where there is none.
    #[schema(value_type = Option<f64>, example = 10000.0)]
    credits_per_month: Option<Amount>,
    /// The version, for `If-Match`.
    #[schema(example = "\"1\"")]
    etag: String,
}

/// The version of an allowance, as HTTP compares them. One that was never set has one, too.
pub fn etag(allowance: Option<&Allowance>) -> String {
    format!("\"{}\"", allowance.map_or(0, |allowance| allowance.revision))
}

/// Sets how many credits a client, the company or the whole tenant may use in a month: the forecast tells when it reaches
/// them. Nothing is stopped by it.
///
/// For owners. `If-Match` names the version that was seen, `etag` of the forecast's `allowance`: 428 without it, 412 where
/// somebody has changed it since.
#[utoipa::path(
    put,
    path = "/api/v1/make-operations/allowance",
    operation_id = "make_allowance_set",
    tag = "forecasts",
    params(("If-Match" = String, Header, description = "The `etag` of the allowance that was seen")),
    request_body = NewAllowance,
    responses((status = 200, description = "The allowance as it is now", body = AllowanceView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let (named, centicredits) = read(call.fields()?)?;
    let owner = match named {
        Some(_) => Whose::find(&deps.table, &person, named).await?.one,
        None => None,
    };
    let seen = deps.table.find_now(key::allowance(person.tenant, owner)).await?;
    call.seen()?.includes(&etag(seen.as_ref()))?;

    let allowance = set(&deps.table, &person, owner, seen, centicredits, call.now).await?;

    let view = AllowanceView {
        client_id: owner.and_then(Owner::client),
        credits_per_month: allowance.centicredits.map(Amount::hundredths),
        etag: etag(Some(&allowance)),
    };
    Ok(Reply::ok(&view).header(header::ETAG, &view.etag))
}

async fn set(
    table: &Table,
    person: &Person,
    owner: Option<Owner>,
    seen: Option<Allowance>,
    centicredits: Option<u64>,
    now: Timestamp,
) -> Result<Allowance> {
    let revision = seen.as_ref().map_or(0, |seen| seen.revision) + 1;
    let set_by = person.subject.clone();
    let allowance = Allowance { tenant: person.tenant, owner, centicredits, revision, set_at: now, set_by };
    let is_set = match seen {
        None => matches!(table.create(&allowance).await?, Created::New),
        Some(seen) => table.replace(&allowance, "revision", seen.revision).await?,
    };
    if is_set { Ok(allowance) } else { Err(Error::Stale) }
}

fn read(mut body: Fields) -> Result<(Option<Named>, Option<u64>)> {
    let named = whose::read(&mut body);
    let given: Option<Option<Value>> = body.change("credits_per_month");
    let centicredits = match given {
        None => {
            body.fault("credits_per_month", "is missing; null takes the limit away");
            None
        }
        Some(None) => None,
        Some(Some(value)) => {
            let centicredits = hundredths(&value);
            if centicredits.is_none() {
                body.fault("credits_per_month", "must be from 0 to 1,000,000,000 with up to two decimals");
            }
            centicredits
        }
    };
    body.build(|| Some((named, centicredits)))
}

fn hundredths(value: &Value) -> Option<u64> {
    let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let credits = Decimal::from_str_exact(&text).ok()?.normalize();
    let is_one = credits >= Decimal::ZERO && credits <= MOST && credits.scale() <= 2;
    is_one.then(|| (credits * Decimal::ONE_HUNDRED).to_u64()).flatten()
}
