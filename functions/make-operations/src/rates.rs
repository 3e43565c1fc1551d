//! What credits cost: a price holds from its day on, and no price changes what an earlier day cost.

pub mod create;
pub mod delete;
pub mod list;

use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    gate::Gate,
    id::ClientId,
    rate::Rate,
    table::Table,
};

use crate::metrics::Amount;

/// What working with prices needs.
pub struct Deps {
    /// Who may call.
    pub gate: Gate,
    /// The table, read consistently: of two prices the later one knows the earlier.
    pub table: Table,
}

impl Deps {
    /// What the functions are wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?.consistent() })
    }
}

/// A price, as it is shown.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UsageRate)]
pub struct Shown {
    /// The client that it is for; null where it holds for whoever has none of its own.
    client_id: Option<ClientId>,
    /// The first day that it holds for. It ends where the next one begins.
    #[schema(value_type = String, format = Date)]
    from: Date,
    /// ISO 4217.
    #[schema(example = "USD")]
    currency: String,
    /// What one credit costs, exactly.
    #[schema(value_type = f64, example = 0.00106)]
    price_per_credit: Amount,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Rate> for Shown {
    fn from(rate: Rate) -> Self {
        Self {
            client_id: rate.client,
            from: rate.from,
            currency: rate.currency,
            price_per_credit: Amount(rate.per_credit),
            created_at: rate.created_at,
        }
    }
}
