//! `POST /api/v1/endpoints/{id}/rotate-secret`: a new secret signs; the old one signs too, for a while.

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::{
    Result,
    boot::{Aws, Missing},
    endpoint::Endpoint,
    gate::{Gate, Role},
    http::{Call, Reply},
    id::EndpointId,
    idempotency, key,
    rotation::{Rotation as Over, overlap},
    secrets::{Keyring, Vault},
    table::{Row, Table},
};
use utoipa::ToSchema;

/// What rotating needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that seal its secret.
    pub vault: Vault,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()? })
    }
}

/// How to go over to a new secret.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the document's form of what `overlap` reads")]
#[schema(as = EndpointSecretRotation)]
pub struct Rotation {
    /// For how many hours the present secret still signs: 0 to 168, 24 unless given. 0 ends it at once.
    #[schema(minimum = 0, maximum = 168)]
    overlap_hours: Option<u8>,
}

/// The new secret, shown here and never again.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointSecretRotated)]
pub struct Rotated {
    /// Verifies what is sent from now on (Standard Webhooks): `whsec_` and base64.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    signing_secret: String,
    /// The first characters of its SHA-256.
    secret_fingerprint: String,
    /// Until when the secret before it signs too; null where it ended at once.
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_secret_until: Option<Timestamp>,
    /// The version of the endpoint, for `If-Match`.
    etag: String,
}

/// Gives an endpoint a new secret. Until the overlap ends, all that is sent carries two signatures, by the new secret and
/// by the present one, so that the receiver can change over when it likes. An empty body is taken for `{}`.
///
/// For owners. There is one secret before the present one at most: rotated again within an overlap, the oldest ends now.
/// 409 where somebody else has rotated at the same moment; theirs holds.
#[utoipa::path(
    post,
    path = "/api/v1/endpoints/{id}/rotate-secret",
    operation_id = "endpoint_rotate_secret",
    tag = "endpoints",
    params(("id" = EndpointId, Path, description = "The endpoint")),
    request_body(content = Option<Rotation>),
    responses((status = 200, description = "The new secret", body = Rotated))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let owner = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: EndpointId = call.part("id", Endpoint::KIND)?;
    let keyring = deps.vault.keyring().await?;

    idempotency::once_sealed(&deps.table, &keyring, &call, owner.tenant, &owner.subject, async || {
        let endpoint = deps.table.get(key::endpoint(owner.tenant, id)).await?;
        rotate(deps, &keyring, endpoint, overlap(&call)?, call.now).await
    })
    .await
}

async fn rotate(
    deps: &Deps,
    keyring: &Keyring,
    endpoint: Endpoint,
    overlap: SignedDuration,
    now: Timestamp,
) -> Result<Reply> {
    let (tenant, id) = (endpoint.tenant.to_string(), endpoint.id.to_string());
    let rotation = Over::over(endpoint.secret, overlap, now);
    let sealed = keyring.seal(Endpoint::place(&tenant, &id, "secret"), &rotation.secret)?;
    let change = deps.table.change(key::endpoint(endpoint.tenant, endpoint.id)).add("revision", 1);
    let changed = rotation.write(change, sealed, &endpoint.fingerprint).await?;

    Ok(Reply::ok(Rotated {
        signing_secret: rotation.secret.expose_secret().into(),
        previous_secret_until: rotation.previous_until(),
        secret_fingerprint: rotation.fingerprint,
        etag: changed.etag(),
    }))
}
