//! `GET /api/v1/make/account`: the account at Make.com whose webhooks are watched.

use http::header;
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    make::Account,
    table::{Row, Table},
};

use super::{MakeAccount, row};

/// What showing needs.
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

/// The tenant's account at Make.com: where it lives, what its token may do, how much may be asked, and how the last look
/// went. The token is shown as a fingerprint.
///
/// For owners. 404 where none was given. The `ETag` is to be given back as `If-Match`.
#[utoipa::path(
    get,
    path = "/api/v1/make/account",
    operation_id = "make_account_get",
    tag = "receivers",
    responses((status = 200, description = "The account", body = MakeAccount))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;

    let account = row(&deps.table, tenant).await?.filter(|account| account.ended_at.is_none());
    let account = account.ok_or(Error::NotFound { kind: Account::KIND })?;

    Ok(Reply::ok(MakeAccount::from(&account)).header(header::ETAG, account.etag()))
}
