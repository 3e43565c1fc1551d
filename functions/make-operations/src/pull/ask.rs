//! `POST /api/make-operations/pull`: reads at once what Make.com knows.

use jiff::Timestamp;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::TenantId,
    idempotency, key,
    make::pull::{Pull, State},
    table::Table,
};

use super::{
    account,
    show::{MakePull, shown},
};

/// How often it is tried where a turn begins or ends at the same moment.
const TRIES: u8 = 5;

/// What asking needs.
pub struct Deps {
    /// Who calls.
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

/// Begins a pull: all scenarios of the account at Make.com, their runs since the last pull and what they used are read
/// within minutes, at no more than half of the organisation's limit of requests. `GET` tells how far it is. One that is
/// under way is told as it is, and no second one begins.
///
/// For owners. 409 where there is no account at Make.com: `PUT /api/v1/make/account` gives one, and it is read at once.
#[utoipa::path(
    post,
    path = "/api/make-operations/pull",
    operation_id = "make_operations_pull_ask",
    tag = "make-operations",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gets the same answer for a day")),
    responses((status = 202, description = "It begins, or is under way", body = MakePull))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, subject, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;

    idempotency::once(&deps.table, &call, tenant, &subject, async || {
        if account(&deps.table, tenant).await?.is_none() {
            return Err(Error::conflict("there is no account at Make.com yet: PUT /api/v1/make/account gives one"));
        }
        let pull = begun(&deps.table, tenant, call.now).await?;
        Ok(Reply::accepted(shown(&deps.table, tenant, Some(&pull)).await?))
    })
    .await
}

/// The pull that is under way, or begins within a minute.
async fn begun(table: &Table, tenant: TenantId, now: Timestamp) -> Result<Pull> {
    for _ in 0..TRIES {
        let known = table.find_now(key::make_pull(tenant)).await?;
        let change = match known {
            None => Pull::for_known_account(table, tenant, now),
            Some(pull) if is_under_way(&pull, now) => return Ok(pull),
            Some(pull) => {
                Pull::at_once(table, tenant, now).when("state", pull.state).when("busy_until", pull.busy_until)
            }
        };
        if let Some(pull) = change.send().await? {
            return Ok(pull);
        }
    }
    Err(Error::unavailable("the pull", "it changes all the time"))
}

/// One that waits for Make.com is not hurried: it would be refused again.
fn is_under_way(pull: &Pull, now: Timestamp) -> bool {
    pull.busy_until > now.as_millisecond() || matches!(pull.state, State::Running | State::Waiting)
}
