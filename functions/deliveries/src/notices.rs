//! `GET /api/v1/notices`: what a person should know, newest first.

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Result,
    endpoint::fits,
    gate::{Person, Role},
    http::{Call, Reply},
    id::NoticeId,
    key,
    notice::Notice,
};
use utoipa::{IntoParams, ToSchema};

pub use crate::pages::Deps;
use crate::pages::{List, Paging};

/// Which notices.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Only of this name; `endpoint_*` for all that begin so.
    name: Option<String>,
}

/// A page of notices.
#[derive(Serialize, ToSchema)]
pub struct Notices {
    /// The notices, newest first.
    notices: Vec<NoticeView>,
    /// Goes on from here; null at the end. A filtered page may hold fewer than asked for, and still have a next one.
    next_cursor: Option<String>,
}

/// A notice, as it is shown.
#[derive(Serialize, ToSchema)]
pub struct NoticeView {
    /// Its id.
    id: NoticeId,
    /// What it is about, by name: `endpoint_held`, `delivery_failed`, …
    name: String,
    /// The id of what it is about.
    subject: String,
    /// What happened, for a person.
    detail: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<Notice> for NoticeView {
    fn from(notice: Notice) -> Self {
        let Notice { id, name, subject, detail, at, .. } = notice;
        Self { id, name, subject, detail, at }
    }
}

/// What a person should know of the tenant's endpoints and deliveries, newest first: each change once.
///
/// For supervisors and above. Notices are kept for 90 days.
#[utoipa::path(
    get,
    path = "/api/v1/notices",
    operation_id = "notice_list",
    tag = "deliveries",
    params(Filter, Paging),
    responses((status = 200, description = "A page of notices", body = Notices))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let mut given = call.parameters();
    let paging = Paging::read(&mut given);
    let name: Option<String> = given.optional("name");
    let filter = given.build(|| Some(Filter { name }))?;
    let takes = |notice: &Notice| filter.name.as_ref().is_none_or(|wanted| fits(wanted, &notice.name));
    let list = List {
        name: format!("notices {:?}", filter.name),
        range: key::notices(tenant),
        takes: if filter.name.is_none() { None } else { Some(&takes) },
        place: |notice| notice.id.to_string(),
    };

    let (shown, next_cursor) = list.page(deps, &call, tenant, &paging).await?;

    Ok(Reply::ok(Notices { notices: shown.into_iter().map(Into::into).collect(), next_cursor }))
}
