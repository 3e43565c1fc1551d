//! A client, as it is shown.

use http::header;
use jiff::Timestamp;
use serde::Serialize;
use shared::{http::Reply, id::ClientId, tenant::Client};
use utoipa::ToSchema;

/// A tenant's own customer or subaccount.
#[derive(Serialize, ToSchema)]
#[schema(as = Client)]
pub struct ClientView {
    /// Its id: the `client_id` of usage, scenarios and metrics.
    id: ClientId,
    /// Unique in the tenant.
    #[schema(example = "harbour-inn")]
    slug: String,
    /// What people call it.
    #[schema(example = "Harbour Inn")]
    name: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Its version, for `If-Match`.
    #[schema(example = "\"3\"")]
    etag: String,
}

impl From<Client> for ClientView {
    fn from(client: Client) -> Self {
        let etag = client.etag();
        Self { id: client.id, slug: client.slug, name: client.name, created_at: client.created_at, etag }
    }
}

/// An answer that shows one client, with its version as `ETag`.
pub fn tagged(client: Client, reply: impl FnOnce(ClientView) -> Reply) -> Reply {
    let etag = client.etag();
    reply(client.into()).header(header::ETAG, etag)
}
