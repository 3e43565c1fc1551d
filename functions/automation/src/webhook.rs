//! `POST /api/v1/webhook/automation/{id}`: takes an execution, once, and hands it on.

use serde::Serialize;
use shared::{
    Error, Result,
    automation::{self, Automation, EXECUTED},
    boot::{Aws, Missing},
    event::{self, Content, Event, Origin},
    gate::Gate,
    http::{BODY_LIMIT, Call, Reply},
    id::{AutomationId, EventId},
    key,
    secrets::Vault,
    sign,
    table::{Row, Table},
};

/// What receiving needs.
pub struct Deps {
    /// Holds senders to their limit.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// The keys that open the automations' secrets.
    pub vault: Vault,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()? })
    }
}

/// The execution as it was taken.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExecutionTaken)]
pub struct Taken {
    /// The event that it is: its deliveries carry this id.
    execution_id: EventId,
    /// Whether it had been taken before, under the same `webhook-id` or `Idempotency-Key`.
    duplicate: bool,
    /// Whether it goes to the automation's own Make.com webhook.
    forwarded: bool,
}

/// Takes an execution of an automation: any JSON up to 256 KiB. It is stored before this answers, counted, and forwarded
/// with retries to the automation's Make.com webhook, or to the endpoints that subscribe to `automation.executed`.
///
/// The sender proves itself by the automation's secret, as it is in `X-Webhook-Secret`, or as the key of a signature over
/// the raw body (Standard Webhooks: `webhook-id`, `webhook-timestamp` within 300 s, `webhook-signature`). What is given
/// has to hold: a good secret beside a bad signature is refused. With a `webhook-id` or an `Idempotency-Key` the same
/// execution may be sent again and is taken once; with another body under the same id it answers 422.
///
/// 404: no such automation. 401: no proof, or none that holds. 409: the automation is inactive. Up to 3,000 a minute; while the limit
/// itself cannot be asked, executions pass.
#[utoipa::path(
    post,
    path = "/api/v1/webhook/automation/{id}",
    operation_id = "automation_webhook",
    tag = "automation",
    security(()),
    params(
        ("id" = String, Path, description = "The automation", example = "aut_06dabr1bg1x010000000000008"),
        ("X-Webhook-Secret" = Option<String>, Header, description = "The automation's secret"),
        ("webhook-id" = Option<String>, Header, description = "Stays the same when the execution is sent again"),
        ("webhook-timestamp" = Option<i64>, Header, description = "Seconds since 1970, when this was signed"),
        ("webhook-signature" = Option<String>, Header, description = "`v1,` and base64 of HMAC-SHA256; several by spaces"),
        ("Idempotency-Key" = Option<String>, Header, description = "In place of `webhook-id`, where that is missing"),
    ),
    request_body(content = Object, description = "What the template's example shows, or any other JSON"),
    responses((status = 202, description = "It is stored, the rest follows", body = Taken))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let automation = find(&deps.table, call.part("id", Automation::KIND)?).await?;
    prove(deps, &call, &automation).await?;
    if !automation.active {
        return Err(Error::conflict("this automation is inactive"));
    }
    let execution = read(&call, &automation)?;
    deps.gate.sender(&call, automation.tenant, &automation.id.to_string()).await?;

    let (stored, duplicate) = event::accept(&deps.table, execution.clone()).await?;
    if duplicate {
        same(&stored, &execution)?;
    } else {
        count(&deps.table, &automation, &stored).await;
    }

    Ok(Reply::accepted(Taken { execution_id: stored.id, duplicate, forwarded: stored.to.is_some() }))
}

async fn find(table: &Table, id: AutomationId) -> Result<Automation> {
    let unknown = || Error::NotFound { kind: Automation::KIND };
    let listed = table.list_index(&key::automation_of_any_tenant(id), 1).await?;
    let tenant = listed.first().and_then(|found| found.tenant()).ok_or_else(unknown)?;
    table.get(key::automation(tenant, id)).await
}

/// Every proof that is given has to hold, and one has to be given.
async fn prove(deps: &Deps, call: &Call, automation: &Automation) -> Result<()> {
    const REFUSED: Error =
        Error::Unauthenticated("send the automation's secret as X-Webhook-Secret, or sign the body with it");
    let secrets = automation.secrets(&deps.vault.keyring().await?, call.now)?;
    let headers = call.headers();
    let secret = headers.get("x-webhook-secret").map(|given| sign::is_one_of(&secrets, given.as_bytes()));
    let signature = headers
        .contains_key("webhook-signature")
        .then(|| sign::verify(&secrets, headers, call.now, call.body()).is_ok());
    match (secret, signature) {
        (None, None) | (Some(false), _) | (_, Some(false)) => Err(REFUSED),
        (Some(true), _) | (_, Some(true)) => Ok(()),
    }
}

fn read(call: &Call, automation: &Automation) -> Result<Event> {
    call.value(BODY_LIMIT)?;
    // What is JSON is UTF-8.
    let data = String::from_utf8_lossy(call.body()).trim().to_owned();
    Ok(Event {
        tenant: automation.tenant,
        id: match name(call)? {
            Some(name) => event::identity(automation.tenant, &[automation.id.as_bytes(), name.as_bytes()]),
            None => EventId::new(),
        },
        event_type: EXECUTED.into(),
        trace: call.trace,
        accepted_at: call.now,
        occurred_at: None,
        to: automation.endpoint,
        origin: Origin::Live,
        content: Content::Automation { automation: automation.id, template: automation.template.clone(), data },
    })
}

/// What the sender calls this execution.
fn name(call: &Call) -> Result<Option<&str>> {
    for header in ["webhook-id", "idempotency-key"] {
        let Some(given) = call.headers().get(header) else {
            continue;
        };
        return match given.to_str() {
            Ok(name) if (1..=255).contains(&name.len()) => Ok(Some(name)),
            _ => Err(Error::invalid(header, "must have 1 to 255 ASCII characters")),
        };
    }
    Ok(None)
}

fn same(earlier: &Event, now: &Event) -> Result<()> {
    match (&earlier.content, &now.content) {
        (Content::Automation { data: earlier, .. }, Content::Automation { data: now, .. }) if earlier == now => Ok(()),
        _ => Err(Error::KeyReused),
    }
}

/// The execution is accepted already: that it cannot be counted must not make its sender send it again.
async fn count(table: &Table, automation: &Automation, stored: &Event) {
    let counted = automation::accepted(table, automation.tenant, automation.id, stored.id, stored.accepted_at).await;
    if let Err(error) = counted {
        tracing::warn!(automation.id = %automation.id, event.id = %stored.id, error = ?error, "an execution was not counted: {error}");
    }
}
