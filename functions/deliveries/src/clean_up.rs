//! `POST /api/v1/deliveries/clean-up`: forgets old deliveries before their time, or counts them.

use jiff::SignedDuration;
use serde::Deserialize;
use shared::{
    Result,
    gate::Role,
    http::{Call, Reply},
    idempotency,
    job::Work,
};
use utoipa::ToSchema;

pub use crate::jobs::Deps;
use crate::jobs::{JobView, Preview, begin, preview};

/// Which deliveries to forget.
#[derive(Deserialize, ToSchema)]
pub struct CleanUp {
    /// Those of events that were accepted longer ago than so many days, 1 to 3,650.
    #[schema(minimum = 1, maximum = 3650)]
    older_than_days: u16,
    /// Only count them: 5 times a minute at most, those of a replay included.
    #[serde(default)]
    #[schema(default = false)]
    preview: bool,
}

/// Forgets the settled deliveries of old events, with their attempts, dead letters included; with `preview` it only counts
/// them. What is on its way or waits for its endpoint stays.
///
/// For owners. Each delivery is forgotten by itself when its endpoint's `retention_days` are over; this is for sooner. 409
/// while another clean-up of the tenant is under way.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/clean-up",
    operation_id = "delivery_clean_up",
    tag = "deliveries",
    request_body = CleanUp,
    responses(
        (status = 200, description = "With `preview`: how many there are", body = Preview),
        (status = 202, description = "The job has begun", body = JobView),
    )
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let clean_up = CleanUp::read(&call)?;
    let days = SignedDuration::from_hours(24 * i64::from(clean_up.older_than_days));
    let work = Work::CleanUp { before: call.now - days };
    if clean_up.preview {
        return Ok(Reply::ok(preview(deps, person.tenant, &work, call.now).await?));
    }

    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || {
        begin(deps, &call, &person, work).await
    })
    .await
}

impl CleanUp {
    fn read(call: &Call) -> Result<Self> {
        let mut body = call.fields()?;
        let older_than_days: Option<u16> = body.required("older_than_days");
        let preview = body.or("preview", false);
        if older_than_days.is_some_and(|days| !(1..=3_650).contains(&days)) {
            body.fault("older_than_days", "must be from 1 to 3650");
        }
        body.build(|| Some(Self { older_than_days: older_than_days?, preview: preview? }))
    }
}
