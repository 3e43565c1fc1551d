//! An endpoint as its tenant sees it: its address and its secrets are not shown.

use http::header;
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    endpoint::{Endpoint, Holder, State},
    event::Form,
    http::Reply,
    id::EndpointId,
};
use utoipa::ToSchema;

/// An endpoint, as it is shown: its address and its secrets are not.
#[derive(Serialize, ToSchema)]
pub struct EndpointView {
    /// Its id.
    id: EndpointId,
    /// Its name.
    name: String,
    /// The host of its address; of addresses of e-mail, their domains.
    host: String,
    /// The types of event that it wants.
    event_types: Vec<String>,
    /// The form in which it is told: `1` as the booking events document has it, `2` in the envelope of Standard Webhooks,
    /// `slack`, `teams`, `email`.
    payload_version: Form,
    /// For how many days the log of its settled deliveries is kept.
    retention_days: u16,
    /// Its state.
    state: State,
    /// Why it is in that state.
    reason: Option<String>,
    /// What holds it, while it is held.
    held_by: Option<Holder>,
    /// How much of its full pace it is sent, in percent: less while its receiver fills up.
    pace: u8,
    /// The first characters of the SHA-256 of its secret.
    secret_fingerprint: String,
    /// Until when the secret before it signs too, while it does.
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_secret_until: Option<Timestamp>,
    /// Whether it sends a key in `x-make-apikey`.
    has_make_api_key: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The version of what people have set, for `If-Match`.
    #[schema(example = "\"3\"")]
    etag: String,
}

impl EndpointView {
    /// As it is at a moment.
    pub fn of(endpoint: Endpoint, now: Timestamp) -> Self {
        let previous = endpoint.previous.as_ref().map(|previous| previous.until);
        Self {
            etag: endpoint.etag(),
            id: endpoint.id,
            name: endpoint.name,
            host: endpoint.host,
            event_types: endpoint.event_types,
            payload_version: endpoint.form,
            retention_days: endpoint.retention_days,
            state: endpoint.state,
            reason: endpoint.reason,
            held_by: (endpoint.state == State::Held).then_some(endpoint.held_by),
            pace: endpoint.pace,
            secret_fingerprint: endpoint.fingerprint,
            previous_secret_until: previous.filter(|until| now < *until),
            has_make_api_key: endpoint.make_key.is_some(),
            created_at: endpoint.created_at,
        }
    }
}

/// The answer that shows one endpoint, tagged with its version.
pub fn reply(endpoint: Endpoint, now: Timestamp) -> Reply {
    let etag = endpoint.etag();
    Reply::ok(EndpointView::of(endpoint, now)).header(header::ETAG, etag)
}
