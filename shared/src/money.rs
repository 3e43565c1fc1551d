//! What things cost: exact, in whatever money a price is made in.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{
    rate::Rate,
    sheet::{Cell, Sums},
    usage::Usd,
};

/// An amount in each money.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    usd: Decimal,
    others: BTreeMap<String, Decimal>,
}

impl Costs {
    /// What a cell costs: its credits at that price, or what was stated where one of the two is not known.
    pub fn of_cell(cell: &Cell, rate: Option<&Rate>) -> Self {
        match (cell.centicredits, rate) {
            (Some(centicredits), Some(rate)) => Self::in_money(&rate.currency, rate.cost(centicredits)),
            _ => Self::stated(cell.cost),
        }
    }

    /// The same of all cells that these are the sums of.
    pub fn of_sums(sums: &Sums, rate: Option<&Rate>) -> Self {
        let Some(rate) = rate else {
            return Self::stated(sums.cost);
        };
        let mut costs = Self::in_money(&rate.currency, rate.cost(sums.centicredits));
        costs += Self::stated(sums.uncredited_cost);
        costs
    }

    fn stated(cost: Usd) -> Self {
        let usd = Decimal::from(cost.ten_thousandths()) / Decimal::from(10_000);
        Self { usd, others: BTreeMap::new() }
    }

    fn in_money(currency: &str, amount: Decimal) -> Self {
        match currency {
            "USD" => Self { usd: amount, others: BTreeMap::new() },
            other => Self { usd: Decimal::ZERO, others: BTreeMap::from([(other.into(), amount)]) },
        }
    }

    /// The US dollars among them.
    pub fn usd(&self) -> Amount {
        Amount(self.usd)
    }

    /// All other money.
    pub fn others(&self) -> Vec<Cost> {
        let cost =
            |(currency, amount): (&String, &Decimal)| Cost { currency: currency.clone(), amount: Amount(*amount) };
        self.others.iter().map(cost).collect()
    }
}

impl std::ops::AddAssign for Costs {
    fn add_assign(&mut self, more: Self) {
        self.usd += more.usd;
        for (currency, amount) in more.others {
            *self.others.entry(currency).or_default() += amount;
        }
    }
}

/// An amount of some money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = UsageCost)]
pub struct Cost {
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
    /// Exact.
    #[schema(value_type = f64, example = 12.75)]
    pub amount: Amount,
}

/// A JSON number that no float has touched, with two decimals at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount(pub Decimal);

impl From<Usd> for Amount {
    fn from(cost: Usd) -> Self {
        Self(Decimal::from(cost.ten_thousandths()) / Decimal::from(10_000))
    }
}

impl Amount {
    /// So many hundredths.
    pub fn hundredths(n: impl Into<Decimal>) -> Self {
        Self(n.into() / Decimal::ONE_HUNDRED)
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut amount = self.0.normalize();
        if amount.scale() < 2 {
            amount.rescale(2);
        }
        write!(f, "{amount}")
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TenantId;
    use jiff::{Timestamp, civil::date};

    fn rate(currency: &str, per_credit: &str) -> Rate {
        Rate {
            tenant: TenantId::new(),
            client: None,
            from: date(2026, 1, 1),
            currency: currency.into(),
            per_credit: per_credit.parse().unwrap(),
            created_at: Timestamp::now(),
        }
    }

    #[test]
    fn cells_cost_together_what_they_cost_alone() {
        let cell = |centicredits, cost| Cell {
            operations: 1,
            centicredits,
            cost: Usd::from_ten_thousandths(cost),
            ..Cell::default()
        };
        let cells = [cell(Some(133), 5), cell(None, 75_000), cell(Some(0), 1)];
        let mut sums = Sums::default();
        cells.iter().for_each(|cell| sums.take(cell));
        for rate in [None, Some(rate("USD", "0.00106")), Some(rate("EUR", "0.01"))] {
            let mut alone = Costs::default();
            cells.iter().for_each(|cell| alone += Costs::of_cell(cell, rate.as_ref()));
            let together = Costs::of_sums(&sums, rate.as_ref());
            assert_eq!((alone.usd().0, alone.others()), (together.usd().0, together.others()));
        }
    }

    #[test]
    fn an_amount_is_exact_and_has_two_decimals() {
        for (amount, text) in [("7.5", "7.50"), ("0", "0.00"), ("0.0001060", "0.000106"), ("1200", "1200.00")] {
            assert_eq!(serde_json::to_string(&Amount(amount.parse().unwrap())).unwrap(), text);
        }
    }
}
