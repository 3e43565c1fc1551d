//! How many endpoints that subscribe a tenant has: at most [`MOST`], for each event costs writes for each of them.
//!
//! The row is changed in one transaction with the endpoint that comes or goes, so however many are made at once, no more
//! come to be. A tenant that has endpoints from before there were tallies has none: the endpoints are counted, and what
//! was counted is written where nobody has written meanwhile. They are counted anew, too, where the tally says that there
//! is no room, or that there is none to go: so a wrong one keeps nobody.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    id::TenantId,
    key::{self, Key},
    table::{Change, Row, Table},
};

/// A tenant has at most so many.
pub const MOST: u32 = 20;

/// How many endpoints that subscribe a tenant has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tally {
    /// Whose.
    pub tenant: TenantId,
    /// All of them.
    pub total: u32,
    /// Grows with each change: what was counted is written over what was seen alone.
    pub revision: u32,
}

impl Row for Tally {
    const KIND: &'static str = "endpoint_tally";

    fn key(&self) -> Key<Self> {
        key::endpoint_tally(self.tenant)
    }
}

impl Tally {
    /// What the transaction that makes an endpoint changes, too: where it fails, somebody else was there first, and it is
    /// read again. 409 where there is no room.
    pub async fn one_more(table: &Table, tenant: TenantId) -> Result<Change<'_, Self>> {
        let seen = table.find_now(key::endpoint_tally(tenant)).await?;
        if seen.as_ref().is_some_and(|tally| tally.total < MOST) {
            return Ok(change(table, tenant).add("total", 1).when_below("total", MOST));
        }
        let there = count(table, tenant).await?;
        if there >= MOST {
            return Err(Error::conflict(format!("a tenant has at most {MOST} endpoints")));
        }
        Ok(counted(table, tenant, seen.as_ref(), there + 1))
    }

    /// The same of the transaction with which one goes.
    pub async fn one_fewer(table: &Table, tenant: TenantId) -> Result<Change<'_, Self>> {
        let seen = table.find_now(key::endpoint_tally(tenant)).await?;
        if seen.as_ref().is_some_and(|tally| tally.total > 0) {
            return Ok(change(table, tenant).add("total", -1).when_at_least("total", 1));
        }
        let there = count(table, tenant).await?;
        Ok(counted(table, tenant, seen.as_ref(), there.saturating_sub(1)))
    }
}

fn change(table: &Table, tenant: TenantId) -> Change<'_, Tally> {
    table.change(key::endpoint_tally(tenant)).add("revision", 1)
}

fn counted<'t>(table: &'t Table, tenant: TenantId, seen: Option<&Tally>, total: u32) -> Change<'t, Tally> {
    let change = change(table, tenant).set("total", total);
    match seen {
        Some(seen) => change.when("revision", seen.revision),
        None => change.or_new().set("tenant", tenant).when_missing("revision"),
    }
}

async fn count(table: &Table, tenant: TenantId) -> Result<u32> {
    let there = table.clone().consistent().list_all(&key::endpoints(tenant)).await?;
    Ok(u32::try_from(there.len()).unwrap_or(u32::MAX))
}
