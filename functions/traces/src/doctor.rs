//! `POST /api/v1/webhooks/doctor`: says what is wrong with a signed request, and never a secret.
//!
//! It is no oracle: it tells of given signatures whether and how they came about, and makes none. No answer and no log
//! holds a secret, a signature, or a value of a body. The work is bounded: 8 signatures of a body of 256 KiB are held, in
//! constant time, against two secrets of the one who should have signed, in four forms of what was sent and 18 of what came,
//! and against the secrets of 20 other endpoints and 20 automations.

mod body;
mod examine;
mod finding;
mod forms;
mod headers;
mod received;
mod signers;

use jiff::Timestamp;
use serde::Serialize;
use shared::{
    Result,
    boot::{Aws, Missing},
    gate::{Gate, Role},
    http::{Call, Reply},
    id::{DeliveryId, TenantId},
    idempotency, key,
    secrets::{Keyring, Vault},
    sign,
    table::Table,
};
use utoipa::ToSchema;

use self::{
    body::Sent,
    examine::{Case, Evidence, previous_secret},
    finding::{Finding, Name},
    headers::Headers,
    received::{Given, Received},
    signers::{Signer, Who},
};

/// What looking at a request needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that open the secrets.
    pub vault: Vault,
    /// The environment that events name.
    pub stage: String,
    /// The address of our API, as payloads name it.
    pub public_url: String,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self {
            gate: aws.gate()?,
            table: aws.table()?,
            vault: aws.vault()?,
            stage: aws.setting("STAGE"),
            public_url: aws.setting("PUBLIC_URL"),
        })
    }
}

/// What is wrong with a request.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDiagnosis)]
pub struct Diagnosis {
    /// Whether it is taken by whoever checks it with the secrets that were good when it was received.
    verdict: Verdict,
    /// What was found; one at least.
    findings: Vec<Finding>,
}

/// Whether a request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookVerdict)]
pub enum Verdict {
    /// It is.
    Ok,
    /// It is not.
    Ill,
}

/// Says what is wrong with a signed request, by names that stay: `ok`, `header_missing`, `header_malformed`, `clock`,
/// `algorithm`, `previous_secret`, `other_secret`, `body_rewritten`, `body_changed`, `unknown`. It takes what was delivered to
/// an endpoint, as its receiver got it, and what was sent to an automation's webhook.
///
/// For supervisors and above. Several findings at once where several hold; `ok` may come with a `previous_secret` that
/// still holds. What it is given is not stored.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/doctor",
    operation_id = "webhook_doctor",
    tag = "traces",
    request_body = Given,
    responses((status = 200, description = "What is wrong with it", body = Diagnosis))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;

    idempotency::once(&deps.table, &call, person.tenant, &person.subject, async || {
        let received = Received::read(&call)?;
        Ok(Reply::ok(diagnose(deps, person.tenant, &received, call.now).await?))
    })
    .await
}

async fn diagnose(deps: &Deps, tenant: TenantId, received: &Received, now: Timestamp) -> Result<Diagnosis> {
    let keyring = deps.vault.keyring().await?;
    let own = signers::find(&deps.table, &keyring, tenant, received.who).await?;
    let patient = Patient { deps, tenant, keyring: &keyring, received, own: &own, now };
    let taken = patient.is_taken();
    let mut findings = if taken { vec![patient.well()] } else { Vec::new() };
    findings.extend(patient.of_the_secret(taken).await?);
    findings.extend(patient.of_the_signature(taken).await?);
    if findings.is_empty() {
        findings.push(Finding::of(Name::Unknown, "it is not taken, and nothing tells why"));
    }
    Ok(Diagnosis { verdict: if taken { Verdict::Ok } else { Verdict::Ill }, findings })
}

/// A request to look at, and who should have proven it.
struct Patient<'a> {
    deps: &'a Deps,
    tenant: TenantId,
    keyring: &'a Keyring,
    received: &'a Received,
    own: &'a Signer,
    now: Timestamp,
}

impl Patient<'_> {
    fn at(&self) -> Timestamp {
        self.received.at.unwrap_or(self.now)
    }

    /// What a receiver, or an automation's webhook, says to it: every proof that is given has to hold, and one has to be
    /// given.
    fn is_taken(&self) -> bool {
        let holding = self.own.holding(self.at());
        let secret = self.received.secret().map(|given| sign::is_one_of(&holding, given.as_bytes()));
        let signature = (self.received.is_signed() || secret.is_none()).then(|| {
            sign::verify(&holding, &self.received.headers.of_signature(), self.at(), &self.received.body).is_ok()
        });
        secret.unwrap_or(true) && signature.unwrap_or(true)
    }

    fn well(&self) -> Finding {
        let proof = if self.received.is_signed() { "the signature holds" } else { "X-Webhook-Secret holds" };
        Finding::of(
            Name::Ok,
            format!("{proof}; the present secret of {} has the fingerprint {}", self.own, self.own.fingerprint()),
        )
    }

    /// What is to be said of the secret that was sent as it is.
    async fn of_the_secret(&self, taken: bool) -> Result<Option<Finding>> {
        let Some(given) = self.received.secret() else { return Ok(None) };
        match self.own.presented(given) {
            // Said of the signature, too, where both are there.
            Some(secret) if taken && self.received.is_signed() && secret.until.is_some() => Ok(None),
            Some(secret) => Ok(secret.until.map(|until| previous_secret(until, self.at()))),
            None => {
                let others = self.others().await?;
                Ok(Some(match others.iter().find(|other| other.presented(given).is_some()) {
                    Some(other) => Finding::of(Name::OtherSecret, format!("X-Webhook-Secret is that of {other}")),
                    None => Finding::of(Name::OtherSecret, format!("X-Webhook-Secret is not that of {}", self.own)),
                }))
            }
        }
    }

    /// What is to be said of the signature, if it is the proof.
    async fn of_the_signature(&self, taken: bool) -> Result<Vec<Finding>> {
        if self.received.secret().is_some() && !self.received.is_signed() {
            return Ok(Vec::new());
        }
        let (headers, mut findings) = Headers::read(&self.received.headers);
        let case = Case { headers: &headers, body: &self.received.body, own: self.own, at: self.at() };
        findings.extend(headers.clock(self.received.at, self.now));
        let fit = case.as_it_came();
        if taken {
            // Of all that, only the secret is worth a word.
            let of_the_fit = fit.map(|fit| case.findings(&fit)).unwrap_or_default();
            return Ok(of_the_fit.into_iter().filter(|finding| finding.name == Name::PreviousSecret).collect());
        }
        if let Some(fit) = fit {
            findings.extend(case.findings(&fit));
            return Ok(findings);
        }
        if headers.given.is_empty() {
            return Ok(findings);
        }
        let evidence = Evidence {
            sent: self.sent(&headers).await?,
            forms: forms::forms(&self.received.body),
            others: self.others().await?,
        };
        findings.extend(match case.otherwise(&evidence) {
            Some(fit) => case.findings(&fit),
            None => case.unexplained(&evidence),
        });
        Ok(findings)
    }

    /// The bodies that may have been sent, where `webhook-id` is that of a delivery of this tenant.
    async fn sent(&self, headers: &Headers) -> Result<Vec<Sent>> {
        let (Who::Endpoint(_), Ok(id)) = (self.own.who, headers.id.parse::<DeliveryId>()) else {
            return Ok(Vec::new());
        };
        match self.deps.table.find(key::delivery(self.tenant, id)).await? {
            Some(delivery) => body::sent(self.deps, self.keyring, &delivery, &self.received.body).await,
            None => Ok(Vec::new()),
        }
    }

    async fn others(&self) -> Result<Vec<Signer>> {
        signers::others(&self.deps.table, self.keyring, self.tenant, self.own.who).await
    }
}
