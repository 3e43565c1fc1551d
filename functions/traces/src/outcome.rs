//! `POST /api/v1/traces/{trace_id}/outcome`: a receiver tells what became of a delivery, by the link that it carried.

use data_encoding::HEXLOWER;
use http::header;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    delivery::Delivery,
    gate::Gate,
    http::{Call, Fields, Reply},
    key,
    outcome::{GOOD, Link, Outcome, Refused, Status},
    secrets::Vault,
    table::Table,
    trace::TraceId,
};
use utoipa::ToSchema;

/// The largest body that is taken.
const LARGEST: usize = 16 * 1024;
/// So many outcomes of one delivery.
const MOST: u32 = 20;
/// So much of a message is kept, in characters.
const KEPT: usize = 2_000;

/// What taking an outcome needs.
pub struct Deps {
    /// Holds receivers to their limit.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that have signed the link.
    pub vault: Vault,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()? })
    }
}

/// What became of a delivery at its receiver.
#[derive(Deserialize, ToSchema)]
#[schema(as = OutcomeTold)]
pub struct Told {
    /// How it ended.
    status: Status,
    /// In the receiver's words. The first 2,000 characters are kept.
    message: Option<String>,
    /// The receiver's name of its run, for instance Make's execution id: a text of at most 200 characters, or a number.
    execution_id: Option<String>,
}

/// It is noted.
#[derive(Serialize, ToSchema)]
#[schema(as = OutcomeNoted)]
pub struct Noted {
    trace_id: TraceId,
    /// Whether just this had been told before.
    duplicate: bool,
}

/// Takes what a receiver tells of a delivery: the end of its trace. The address is the `outcome_url` of the payload, good for
/// 30 days; whoever has it needs no key. A scenario of Make.com ends with its HTTP module: method POST, body type Raw,
/// content type JSON, `{"status":"success"}`.
///
/// The same told again is noted once and answers 200. 401: the link is not ours as it is. 403: its time is over. 404:
/// its delivery is forgotten. 409: 20 outcomes of this delivery are noted already. Up to 3,000 a minute and tenant; while the
/// limit itself cannot be asked, outcomes pass.
#[utoipa::path(
    post,
    path = "/api/v1/traces/{trace_id}/outcome",
    operation_id = "trace_outcome",
    tag = "traces",
    security(()),
    params(
        ("trace_id" = TraceId, Path, description = "The trace"),
        ("tenant" = String, Query, description = "Of the link"),
        ("delivery" = String, Query, description = "Of the link"),
        ("until" = i64, Query, description = "Of the link"),
        ("signature" = String, Query, description = "Of the link"),
    ),
    request_body = Told,
    responses(
        (status = 201, description = "It is noted", body = Noted),
        (status = 200, description = "It had been noted before", body = Noted),
    )
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let delivery = proven(deps, &call).await?;
    let told = Told::read(&call)?;

    let duplicate = note(&deps.table, &delivery, told.outcome(&delivery, &call)).await?;

    let noted = Noted { trace_id: delivery.trace, duplicate };
    Ok(if duplicate { Reply::ok(noted) } else { Reply::created(noted) })
}

/// The delivery of a link that is ours and good. Nothing of the body is looked at before.
async fn proven(deps: &Deps, call: &Call) -> Result<Delivery> {
    const NOT_OURS: Error = Error::Unauthenticated("call the outcome_url of the payload just as it is");
    let signature = call.query("signature").unwrap_or_default();
    let link = Link {
        tenant: parameter(call, "tenant").ok_or(NOT_OURS)?,
        trace: call.part("trace_id", "trace").map_err(|_| NOT_OURS)?,
        delivery: parameter(call, "delivery").ok_or(NOT_OURS)?,
        until: parameter(call, "until").ok_or(NOT_OURS)?,
        signature: &signature,
    };
    link.check(&deps.vault.keyring().await?, call.now).map_err(|refused| match refused {
        Refused::NotOurs => NOT_OURS,
        Refused::Expired => Error::Forbidden("the time of this outcome_url is over"),
    })?;
    deps.gate.sender(call, link.tenant, "outcomes").await?;
    deps.table.get(key::delivery(link.tenant, link.delivery)).await
}

fn parameter<T: std::str::FromStr>(call: &Call, name: &str) -> Option<T> {
    call.query(name)?.parse().ok()
}

/// Notes it, once. Whether it had been noted before.
async fn note(table: &Table, delivery: &Delivery, outcome: Outcome) -> Result<bool> {
    let counted = table
        .change::<Delivery>(key::delivery(delivery.tenant, delivery.id))
        .add("outcomes", 1)
        .when_there()
        .when_at_most_or_missing("outcomes", MOST - 1);
    if table.transact().change(counted).create(&outcome).send().await? {
        return Ok(false);
    }
    let place = key::outcome(outcome.tenant, outcome.trace, outcome.delivery, &outcome.digest);
    match table.find_now(place).await? {
        Some(_) => Ok(true),
        None => Err(Error::conflict(format!("{MOST} outcomes of this delivery are noted already"))),
    }
}

impl Told {
    fn read(call: &Call) -> Result<Self> {
        let kind = call.header("content-type").unwrap_or("application/json").to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !(kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json")) {
            return Err(Error::invalid(header::CONTENT_TYPE.as_str(), "must be application/json, and the body JSON"));
        }
        let Value::Object(body) = call.value(LARGEST)? else {
            return Err(Error::invalid("", "the body is not a JSON object"));
        };
        let mut body = Fields::new(body, "");
        let status = body.required("status");
        let message: Option<String> = body.optional("message");
        let execution_id = match body.optional("execution_id") {
            Some(Value::String(text)) if text.chars().count() <= 200 => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            None => None,
            Some(_) => {
                body.fault("execution_id", "must be a text of at most 200 characters, or a number");
                None
            }
        };
        let message = message.map(|message| message.chars().take(KEPT).collect());
        body.build(|| Some(Self { status: status?, message, execution_id }))
    }

    fn outcome(self, delivery: &Delivery, call: &Call) -> Outcome {
        let Self { status, message, execution_id } = self;
        let said = json!([status, message, execution_id]).to_string();
        Outcome {
            tenant: delivery.tenant,
            trace: delivery.trace,
            delivery: delivery.id,
            digest: HEXLOWER.encode(&Sha256::digest(said)[..8]),
            status,
            message,
            execution_id,
            at: call.now,
            keep_until: delivery.keep_until.max(call.now + GOOD),
        }
    }
}
