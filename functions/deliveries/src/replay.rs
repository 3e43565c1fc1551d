//! `POST /api/v1/deliveries/replay`: starts all failed deliveries of a time again, or counts them.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use shared::{
    Result,
    gate::Role,
    http::{Call, Reply},
    id::EndpointId,
    idempotency,
    job::Work,
    key,
};
use utoipa::ToSchema;

pub use crate::jobs::Deps;
use crate::jobs::{JobView, Preview, begin, preview};

/// So far back at most (as Svix allows).
const BACK: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Which deliveries to start again.
#[derive(Deserialize, ToSchema)]
pub struct Replay {
    /// Of events that were accepted from then on: at most 14 days ago.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Of events that were accepted until then; until now, unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Timestamp,
    /// Only to this endpoint.
    endpoint_id: Option<EndpointId>,
    /// Only with at most so many attempts made.
    #[schema(minimum = 1)]
    most_attempts: Option<u32>,
    /// Only count them: 5 times a minute at most, those of a clean-up included.
    #[serde(default)]
    #[schema(default = false)]
    preview: bool,
}

/// Starts every failed or dead delivery of events accepted in a time again, oldest first; with `preview` it only counts
/// them.
///
/// For owners. At most 14 days back, and 10,000 deliveries a job. Each is a replay as `POST /api/v1/deliveries/{id}/retry`
/// makes one. They leave at a third of their endpoint's pace, so that what happens meanwhile finds room. 409 while another
/// replay of the tenant is under way.
#[utoipa::path(
    post,
    path = "/api/v1/deliveries/replay",
    operation_id = "delivery_replay",
    tag = "deliveries",
    request_body = Replay,
    responses(
        (status = 200, description = "With `preview`: how many there are", body = Preview),
        (status = 202, description = "The job has begun", body = JobView),
    )
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let replay = Replay::read(&call)?;
    if let Some(endpoint) = replay.endpoint_id {
        deps.table.get(key::endpoint(person.tenant, endpoint)).await?;
    }
    if replay.preview {
        return Ok(Reply::ok(preview(deps, person.tenant, &replay.work(), call.now).await?));
    }

    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || {
        begin(deps, &call, &person, replay.work()).await
    })
    .await
}

impl Replay {
    fn read(call: &Call) -> Result<Self> {
        let mut body = call.fields()?;
        let since: Option<Timestamp> = body.required("since");
        let until: Option<Timestamp> = body.optional("until");
        let (endpoint_id, most_attempts) = (body.optional("endpoint_id"), body.optional::<u32>("most_attempts"));
        let preview = body.or("preview", false);
        if since.is_some_and(|since| since < call.now - BACK) {
            body.fault("since", "must be at most 14 days ago");
        }
        if since.zip(until).is_some_and(|(since, until)| until <= since) {
            body.fault("until", "must be after `since`");
        }
        if most_attempts == Some(0) {
            body.fault("most_attempts", "must be 1 or more");
        }
        body.build(|| {
            let since = since?;
            // What is accepted while the job is under way is none of it.
            let until = until.unwrap_or(call.now).min(call.now).max(since);
            Some(Self { since, until, endpoint_id, most_attempts, preview: preview? })
        })
    }

    fn work(&self) -> Work {
        let Self { since, until, endpoint_id, most_attempts, .. } = *self;
        Work::Replay { since, until, endpoint: endpoint_id, most_attempts }
    }
}
