//! What a credit costs, from a day on: a new price never changes what an earlier day cost.

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ClientId, TenantId},
    key::{self, Key},
    scenario::Owner,
    table::Row,
};

/// A price of credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Whose.
    pub tenant: TenantId,
    /// For which client; none where it is the tenant's own, which holds for whoever has none.
    pub client: Option<ClientId>,
    /// The first day that it holds for. It ends where the next one begins.
    pub from: Date,
    /// In what money: an ISO 4217 code.
    pub currency: String,
    /// What one credit costs, exactly.
    #[serde(with = "rust_decimal::serde::str")]
    pub per_credit: Decimal,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Row for Rate {
    const KIND: &'static str = "rate";

    fn key(&self) -> Key<Self> {
        key::rate(self.tenant, self.client, self.from)
    }
}

impl Rate {
    /// What so many hundredths of a credit cost.
    pub fn cost(&self, centicredits: u64) -> Decimal {
        (Decimal::from(centicredits) * self.per_credit / Decimal::ONE_HUNDRED).normalize()
    }
}

/// The prices of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Rates(Vec<Rate>);

impl From<Vec<Rate>> for Rates {
    fn from(mut rates: Vec<Rate>) -> Self {
        rates.sort_by_key(|rate| rate.from);
        Self(rates)
    }
}

impl Rates {
    /// The price that holds for an owner on a day: its own, or else the tenant's.
    pub fn on(&self, owner: Owner, date: Date) -> Option<&Rate> {
        let latest =
            |client: Option<ClientId>| self.0.iter().rev().find(|rate| rate.client == client && rate.from <= date);
        owner.client().and_then(|client| latest(Some(client))).or_else(|| latest(None))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_price_holds_from_its_day_on_and_never_before() {
        let (tenant, inn) = (TenantId::new(), ClientId::new());
        let rate = |client, from, price: &str| Rate {
            tenant,
            client,
            from,
            currency: "USD".into(),
            per_credit: price.parse().unwrap(),
            created_at: Timestamp::now(),
        };
        let rates = Rates::from(vec![
            rate(None, date(2026, 9, 1), "0.001"),
            rate(Some(inn), date(2026, 10, 1), "0.002"),
            rate(None, date(2026, 6, 1), "0.0009"),
        ]);
        let price = |owner, day| rates.on(owner, day).map(|rate| rate.per_credit.to_string());
        let inn = Owner::Client(inn);
        assert_eq!(price(inn, date(2026, 5, 31)), None);
        assert_eq!(price(inn, date(2026, 8, 31)).unwrap(), "0.0009");
        assert_eq!(price(inn, date(2026, 9, 30)).unwrap(), "0.001");
        assert_eq!(price(inn, date(2026, 10, 1)).unwrap(), "0.002");
        assert_eq!(price(Owner::Company, date(2026, 10, 1)).unwrap(), "0.001");
        assert_eq!(rates.on(inn, date(2026, 10, 1)).unwrap().cost(123_456).to_string(), "2.46912");
    }
}
