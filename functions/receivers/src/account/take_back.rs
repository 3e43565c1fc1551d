//! `DELETE /api/v1/make/account`: takes the account at Make.com back.

use http::header;
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    key,
    make::Account,
    queue::Queue,
    table::{Row, Table},
};
use utoipa::ToSchema;

use super::row;
use crate::{
    rules::INTERVAL,
    settle::{Reach, release_all},
};

/// What taking it back needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// For the messages that have opened endpoints drained.
    pub queue: Queue,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, queue: aws.queue("DELIVERY_QUEUE_URL")? })
    }
}

/// An account that was taken back.
#[derive(Serialize, ToSchema)]
pub struct TakenBack {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    deleted_at: Timestamp,
    /// How many endpoints were held because of what Make.com said, and are sent again what waits for them. The few that
    /// could not be opened at once are opened within minutes.
    opened: u32,
}

/// Takes the account back: the token is forgotten, webhooks are no longer watched, and endpoints that are held because of
/// what Make.com said are opened.
///
/// For owners. `If-Match` names the version that was seen: 428 without it, 412 where somebody has changed it since.
#[utoipa::path(
    delete,
    path = "/api/v1/make/account",
    operation_id = "make_account_delete",
    tag = "receivers",
    params(("If-Match" = String, Header, description = "The `etag` of the account that was seen")),
    responses((status = 200, description = "It is taken back", body = TakenBack))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let account = row(&deps.table, tenant).await?.filter(|account| account.ended_at.is_none());
    let account = account.ok_or(Error::NotFound { kind: Account::KIND })?;
    call.seen()?.includes(&account.etag())?;

    // The row stays until a look that is under way has ended: what that still holds, the last look opens.
    let last_look = call.now + INTERVAL;
    let ended = deps
        .table
        .change(key::make_account(tenant))
        .set("ended_at", call.now)
        .set("revision", account.revision + 1)
        .remove("token")
        .set("next_at", last_look)
        .index(Some(key::watched(last_look)))
        .when("revision", account.revision);
    if ended.send().await?.is_none() {
        return Err(Error::Stale);
    }
    let reach = Reach { table: &deps.table, queue: &deps.queue };
    let opened = release_all(reach, tenant, call.now).await.unwrap_or_else(|error| {
        tracing::warn!(error = ?error, "not every endpoint was opened, the last look does it: {error}");
        0
    });

    Ok(Reply::ok(TakenBack { deleted_at: call.now, opened }).header(header::CACHE_CONTROL, "no-store"))
}
