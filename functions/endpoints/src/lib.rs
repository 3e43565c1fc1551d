//! Endpoints: where deliveries go, and how they are looked after.

pub mod create;
pub mod enable;
pub mod list;

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    endpoint::{Endpoint, State},
    id::EndpointId,
};
use utoipa::ToSchema;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(create::handle, enable::handle, list::handle))]
pub struct Api;

/// An endpoint, as it is shown: its address and its secrets are not.
#[derive(Serialize, ToSchema)]
pub struct EndpointView {
    /// Its id.
    id: EndpointId,
    /// Its name.
    name: String,
    /// The host of its address.
    host: String,
    /// The types of event that it wants.
    event_types: Vec<String>,
    /// Its state.
    state: State,
    /// Why it is in that state.
    reason: Option<String>,
    /// The first characters of the SHA-256 of its secret.
    secret_fingerprint: String,
    /// Whether it sends a key in `x-make-apikey`.
    has_make_api_key: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Endpoint> for EndpointView {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            id: endpoint.id,
            name: endpoint.name,
            host: endpoint.host,
            event_types: endpoint.event_types,
            state: endpoint.state,
            reason: endpoint.reason,
            secret_fingerprint: endpoint.fingerprint,
            has_make_api_key: endpoint.make_key.is_some(),
            created_at: endpoint.created_at,
        }
    }
}
