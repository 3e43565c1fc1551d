//! `POST /api/v1/endpoints/{id}/test`: sends one test event and shows what the receiver answers.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use shared::{
    Result,
    automation::Automation,
    boot::{Aws, Missing},
    delivery::{Verdict, judge},
    egress::{Answer, Egress, Silence},
    endpoint::{Endpoint, is_target},
    event::{Content, Context, Event, Form, Origin},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::{AlertId, EndpointId, EventId},
    idempotency, key,
    limit::{Limits, Rate},
    mail::Mail,
    secrets::Vault,
    table::{Row, Table},
};
use utoipa::ToSchema;

use deliveries::post::{self, Message, Ways};

/// The type of a test event. No event of a business has it.
pub const TESTED: &str = "crossdock.test";
/// So many tests of one endpoint a minute.
const RATE: Rate = Rate { burst: 10, period_ms: 60_000, fails_open: false };
/// Of one of e-mail so many an hour, and so many of a tenant's together: anybody's address can be named, and then another's.
const MAIL_RATE: Rate = Rate { burst: 5, period_ms: 3_600_000, fails_open: false };
const TENANT_MAIL_RATE: Rate = Rate { burst: 20, ..MAIL_RATE };
/// So much of an answer is shown.
const SHOWN: usize = 1_000;

/// What testing needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that open its address and secret.
    pub vault: Vault,
    /// The guarded way out.
    pub egress: Egress,
    /// The way out by e-mail.
    pub mail: Mail,
    /// The environment that events name.
    pub stage: String,
    /// How many tests are left.
    pub limits: Limits,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self {
            gate: aws.gate()?,
            table: aws.table()?,
            vault: aws.vault()?,
            egress: aws.egress()?,
            mail: aws.mail(),
            stage: aws.setting("STAGE"),
            limits: Limits::default(),
        })
    }
}

/// What came of a test.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointTested)]
pub struct Tested {
    /// Whether the receiver has taken it. Make.com takes what it queues, whether its scenario runs or not.
    success: bool,
    /// How long it took, in milliseconds.
    #[serde(rename = "responseTime")]
    response_time: u64,
    /// What went wrong.
    error: Option<String>,
    /// The answer's status, where there was an answer.
    status: Option<u16>,
    /// The first 1,000 bytes of the answer's body.
    answer: Option<String>,
    /// The test event: also its `webhook-id`.
    event_id: EventId,
}

/// Sends one test event of the type `crossdock.test` to an endpoint, whatever its state, as a delivery would be sent:
/// signed, with its key, in its own form. The event is a made-up booking, every id of which begins with `test-`; for an
/// automation's own endpoint a made-up execution, for an address of e-mail a made-up alert.
///
/// The answer is that of `testMakeWebhook` in the booking events document, without an envelope: 200 whatever came of it, and
/// `success` says whether the receiver has taken it.
///
/// For owners; 10 a minute, to an address of e-mail 5 an hour and 20 of a tenant. It is no delivery: it is not logged, not tried again, and says nothing of the endpoint's health.
#[utoipa::path(
    post,
    path = "/api/v1/endpoints/{id}/test",
    operation_id = "endpoint_test",
    tag = "endpoints",
    params(("id" = EndpointId, Path, description = "The endpoint")),
    responses((status = 200, description = "What came of it, good or bad", body = Tested))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let owner = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: EndpointId = call.part("id", Endpoint::KIND)?;

    idempotency::once(&deps.table, &call, owner.tenant, &owner.subject, async || send(deps, &call, &owner, id).await)
        .await
}

async fn send(deps: &Deps, call: &Call, owner: &Person, id: EndpointId) -> Result<Reply> {
    let endpoint = deps.table.get(key::endpoint(owner.tenant, id)).await?;
    limit(deps, call, &endpoint).await?;
    let event = event(&deps.table, call, &endpoint).await?;
    let body = event.body(endpoint.form, &deps.stage, &Context::default(), None)?;

    let keyring = deps.vault.keyring().await?;
    let message = Message { id: &event.id.to_string(), trace: event.trace, body };
    let ways = Ways { egress: &deps.egress, mail: &deps.mail };
    let answer = post::once(&keyring, ways, &endpoint, message, call.now).await?;

    Ok(Reply::plain(Tested::of(event.id, answer)))
}

async fn limit(deps: &Deps, call: &Call, endpoint: &Endpoint) -> Result<()> {
    let draw = async |who: &str, rate| {
        deps.limits.draw(&deps.table, endpoint.tenant, who, rate, call.now.as_millisecond()).await?.passed()
    };
    let who = format!("test {}", endpoint.id);
    if endpoint.form != Form::Email {
        return draw(&who, RATE).await;
    }
    draw(&who, MAIL_RATE).await?;
    draw("tests by e-mail", TENANT_MAIL_RATE).await
}

async fn event(table: &Table, call: &Call, endpoint: &Endpoint) -> Result<Event> {
    let automation = match is_target(endpoint.id) {
        true => automation_of(table, endpoint).await?,
        false => None,
    };
    let content = match automation {
        Some(automation) => Content::Automation {
            automation: automation.id,
            template: automation.template,
            data: json!({ "test": true }).to_string(),
        },
        None if endpoint.form == Form::Email => alert(),
        None => booking(call.now),
    };
    Ok(Event {
        tenant: endpoint.tenant,
        id: EventId::new(),
        event_type: TESTED.into(),
        trace: call.trace,
        accepted_at: call.now,
        occurred_at: Some(call.now),
        to: Some(endpoint.id),
        origin: Origin::Live,
        content,
    })
}

async fn automation_of(table: &Table, endpoint: &Endpoint) -> Result<Option<Automation>> {
    let all = table.list_all(&key::automations(endpoint.tenant)).await?;
    Ok(all.into_iter().find(|automation| automation.endpoint == Some(endpoint.id)))
}

/// An alert about nothing: what an address of e-mail gets.
fn alert() -> Content {
    Content::Alert {
        alert: AlertId::new(),
        title: "A test: nothing is wrong".into(),
        facts: vec![
            ("Scenario".into(), "a made-up one".into()),
            ("Why".into(), "somebody has tried this address".into()),
        ],
        data: json!({ "test": true }).to_string(),
    }
}

/// A booking event with all that one can carry, so that whoever builds the receiver sees every field.
fn booking(now: Timestamp) -> Content {
    let record = json!({
        "id": "test-event",
        "booking_id": "test-booking",
        "event_type": TESTED,
        "description": "A test: nothing was booked",
        "created_at": now,
        "booking_details": {
            "id": "test-booking", "booking_number": "TEST-1", "client_id": "test-client", "provider_id": "test-provider",
            "status": "confirmed", "total_price": 120.5,
        },
        "client_info": { "id": "test-client", "name": "Test Client", "email": "client@example.com" },
        "provider_info": {
            "id": "test-provider", "name": "Test Provider", "email": "provider@example.com", "company_name": "Example",
        },
    });
    Content::Booking {
        operation: shared::booking::Operation::Insert,
        table: "booking_events".into(),
        record: Some(record.to_string()),
        old_record: None,
    }
}

impl Tested {
    fn of(event_id: EventId, answer: Answer) -> Self {
        let success = judge(&answer.outcome) == Verdict::Delivered;
        let error = match &answer.outcome {
            _ if success => None,
            Ok(answered) => Some(format!("the receiver answered HTTP {}", answered.status)),
            Err(silence) => Some(silent(*silence).into()),
        };
        let (status, body) = match answer.outcome {
            Ok(answered) => (Some(answered.status), Some(answered.body)),
            Err(_) => (None, None),
        };
        Self {
            success,
            response_time: answer.took.as_millis().try_into().unwrap_or(u64::MAX),
            error,
            status,
            answer: body.map(|mut body| {
                body.truncate(body.floor_char_boundary(SHOWN));
                body
            }),
            event_id,
        }
    }
}

fn silent(silence: Silence) -> &'static str {
    match silence {
        Silence::Refused => "the address must not be called: it leads nowhere on the public internet",
        Silence::Network => "no connection",
        Silence::Timeout => "no answer within 15 seconds",
        Silence::NoEndpoint => "the endpoint is gone",
    }
}
