//! `POST /api/v1/make-operations/rates`: what credits cost from a day on.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Deserialize;
use shared::{
    Error, Result,
    gate::Role,
    http::{Call, Fields, Reply},
    id::{ClientId, TenantId},
    idempotency, key,
    rate::Rate,
    statement::closed_until,
    table::{Created, Row},
    tenant::{self, Client},
};

use super::{Deps, Shown};
use crate::day;

/// No credit costs more.
const MOST: Decimal = Decimal::from_parts(1_000, 0, 0, false, 0);
/// Decimals of a price.
const DECIMALS: u32 = 8;

/// A price.
#[derive(Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "the document's form of what is read field by field")]
#[schema(as = NewUsageRate)]
pub struct NewRate {
    /// The client that it is for. Without one it holds for whoever has no price of its own, and for the company.
    client_id: Option<String>,
    /// The first day that it holds for, `YYYY-MM-DD`, in the tenant's time zone.
    #[schema(example = "2026-12-01", format = Date)]
    from: String,
    /// An ISO 4217 code.
    #[schema(example = "USD")]
    currency: String,
    /// What one credit costs: text, so that it stays exact, with up to 8 decimals.
    #[schema(example = "0.00106")]
    price_per_credit: String,
}

/// Makes a price of credits, from a day on. It never changes what an earlier day cost: it may begin today or later, or on an
/// earlier day where no price held from then until today. 409 where one did, where one begins on that day already, and in a
/// month that is closed: of the client, or of anybody where the price is that of all.
#[utoipa::path(
    post,
    path = "/api/v1/make-operations/rates",
    operation_id = "make_operations_rate_create",
    tag = "make-operations",
    request_body = NewRate,
    responses((status = 201, description = "The price", body = Shown))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let owner = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;

    idempotency::once(&deps.table, &call, owner.tenant, &owner.subject, async || {
        let rate = read(call.fields()?, owner.tenant, call.now)?;
        if let Some(client) = rate.client {
            deps.table.find(key::client(owner.tenant, client)).await?.ok_or(Error::NotFound { kind: Client::KIND })?;
        }
        let today = day::today(&tenant::zone(&deps.table, owner.tenant).await?, call.now);
        let rates = deps.table.list_all(&key::rates(owner.tenant)).await?;
        if let Some(held) = held(&rates, rate.client, rate.from, today) {
            return Err(Error::conflict(format!(
                "a price holds since {held}, and what it made of days before {today} stays: begin today or later"
            )));
        }
        if let Some(closed) = closed_until(&deps.table, owner.tenant, rate.client).await?
            && rate.from <= closed
        {
            return Err(Error::conflict(format!("months up to {closed} are closed: begin after that")));
        }
        match deps.table.create(&rate).await? {
            Created::New => Ok(Reply::created(Shown::from(rate))),
            Created::Was(_) => Err(Error::conflict("a price begins on this day already")),
        }
    })
    .await
}

/// Since when a price has held on any day between this one and today, for whom the new one is.
fn held(rates: &[Rate], client: Option<ClientId>, from: Date, today: Date) -> Option<Date> {
    let same = |rate: &&Rate| rate.client == client;
    let until = rates.iter().filter(same).map(|rate| rate.from).filter(|next| *next > from).fold(today, Date::min);
    // A price of all holds for a client, too.
    let before = rates.iter().filter(|rate| rate.client == client || rate.client.is_none());
    before.map(|rate| rate.from).filter(|begun| *begun < until && from < today).min()
}

fn read(mut fields: Fields, tenant: TenantId, now: jiff::Timestamp) -> Result<Rate> {
    let client = fields.parsed("client_id");
    let from = fields.required::<String>("from").and_then(|text| {
        let date = day::read(&text);
        if date.is_none() {
            fields.fault("from", "must be a day as YYYY-MM-DD");
        }
        date
    });
    let currency = fields.required::<String>("currency").and_then(|code| {
        let known = iso_currency::Currency::from_code(&code).map(|currency| currency.code().to_owned());
        if known.is_none() {
            fields.fault("currency", "must be an ISO 4217 code such as USD");
        }
        known
    });
    let per_credit = fields.required::<String>("price_per_credit").and_then(|text| {
        let price = Decimal::from_str_exact(&text).ok();
        let price = price.filter(|price| *price >= Decimal::ZERO && *price <= MOST && price.scale() <= DECIMALS);
        if price.is_none() {
            fields.fault("price_per_credit", "must be a decimal number as text, from 0 to 1000 with up to 8 decimals");
        }
        price
    });
    fields.build(|| {
        Some(Rate { tenant, client, from: from?, currency: currency?, per_credit: per_credit?, created_at: now })
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_price_may_begin_where_none_held() {
        let (tenant, inn) = (TenantId::new(), ClientId::new());
        let rate = |client, from| Rate {
            tenant,
            client,
            from,
            currency: "USD".into(),
            per_credit: Decimal::ONE,
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let today = date(2026, 11, 21);
        let all = [rate(None, date(2026, 11, 10))];
        assert_eq!(held(&all, None, today, today), None, "today it may");
        assert_eq!(held(&all, None, date(2026, 11, 20), today), Some(date(2026, 11, 10)));
        assert_eq!(held(&all, None, date(2026, 11, 1), today), None, "before the first one nothing held");
        assert_eq!(
            held(&all, Some(inn), date(2026, 11, 1), today),
            Some(date(2026, 11, 10)),
            "that of all holds for it"
        );
        let own = [rate(Some(inn), date(2026, 11, 5)), all[0].clone()];
        assert_eq!(held(&own, Some(inn), date(2026, 11, 1), today), None, "until its own one nothing held");
        assert_eq!(held(&[], Some(inn), date(2026, 11, 1), today), None);
    }
}
