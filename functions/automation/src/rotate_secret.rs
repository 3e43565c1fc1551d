//! `POST /api/v1/automation/{id}/rotate-secret`: a new secret; the old one holds for a while.

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::{
    Result,
    automation::Automation,
    boot::{Aws, Missing},
    gate::{Gate, Role},
    http::{Call, Reply},
    id::AutomationId,
    idempotency, key,
    rotation::{Rotation as Over, overlap},
    secrets::{Keyring, Vault},
    table::{Row, Table},
};

/// What rotating needs.
pub struct Deps {
    /// Who may call.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// The keys that seal secrets.
    pub vault: Vault,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()? })
    }
}

/// How to go over to a new secret.
#[derive(Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "the document's form of what `overlap` reads")]
#[schema(as = SecretRotation)]
pub struct Rotation {
    /// For how many hours the present secret still holds: 0 to 168, 24 unless given. 0 ends it at once.
    overlap_hours: Option<u8>,
}

/// The new secret, shown here and never again.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SecretRotated)]
pub struct Rotated {
    automation_id: AutomationId,
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    webhook_secret: String,
    /// First eight hexadecimal digits of its SHA-256.
    secret_fingerprint: String,
    /// Until when the secret before it holds too; null where it ended at once.
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_secret_until: Option<Timestamp>,
}

/// Gives an automation a new secret. The present one holds until the overlap ends; a still older one ends now. An empty
/// body is taken for `{}`.
///
/// 409: somebody else has given it a new secret at the same moment; theirs holds.
#[utoipa::path(
    post,
    path = "/api/v1/automation/{id}/rotate-secret",
    operation_id = "automation_rotate_secret",
    tag = "automation",
    params(("id" = String, Path, description = "The automation", example = "aut_06dabr1bg1x010000000000008")),
    request_body(content = Option<Rotation>),
    responses((status = 200, description = "The new secret", body = Rotated))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let owner = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: AutomationId = call.part("id", Automation::KIND)?;
    let keyring = deps.vault.keyring().await?;

    idempotency::once_sealed(&deps.table, &keyring, &call, owner.tenant, &owner.subject, async || {
        let overlap = overlap(&call)?;
        let automation = deps.table.get(key::automation(owner.tenant, id)).await?;
        rotate(deps, &keyring, automation, overlap, call.now).await
    })
    .await
}

async fn rotate(
    deps: &Deps,
    keyring: &Keyring,
    automation: Automation,
    overlap: SignedDuration,
    now: Timestamp,
) -> Result<Reply> {
    let rotation = Over::over(automation.secret, overlap, now);
    let sealed = Automation::seal(keyring, automation.tenant, automation.id, &rotation.secret)?;
    let change = deps.table.change(key::automation(automation.tenant, automation.id));
    rotation.write(change, sealed, &automation.fingerprint).await?;

    Ok(Reply::ok(Rotated {
        automation_id: automation.id,
        webhook_secret: rotation.secret.expose_secret().into(),
        previous_secret_until: rotation.previous_until(),
        secret_fingerprint: rotation.fingerprint,
    }))
}
