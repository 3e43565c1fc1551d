//! How many credits there may be in a month: what a forecast is held against.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::TenantId,
    key::{self, Key},
    scenario::Owner,
    table::Row,
};

/// A limit of credits for each month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Whose.
    pub tenant: TenantId,
    /// For whose scenarios; none where it is for all of the tenant's.
    pub owner: Option<Owner>,
    /// Hundredths of a credit; none where the limit was taken away.
    pub centicredits: Option<u64>,
    /// Grows with each change; the first is 1.
    pub revision: u32,
    /// When it was set.
    pub set_at: Timestamp,
    /// By whom.
    pub set_by: String,
}

impl Row for Allowance {
    const KIND: &'static str = "allowance";

    fn key(&self) -> Key<Self> {
        key::allowance(self.tenant, self.owner)
    }
}
