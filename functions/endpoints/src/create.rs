//! `POST /api/v1/endpoints`: a new endpoint, for instance a Make.com webhook.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    egress::Egress,
    endpoint::{self, Endpoint, Plan, tally::Tally},
    event::Form,
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::TenantId,
    idempotency,
    mail::is_mailto,
    secrets::{Keyring, Vault},
    table::Table,
};
use utoipa::ToSchema;

use crate::{rules, shown::EndpointView};

/// Whoever was overtaken by others who make or delete one tries again so many times.
const TRIES: usize = 5;

/// What making one needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that seal its address and secret.
    pub vault: Vault,
    /// The guard of the way out.
    pub egress: Egress,
    /// Whether this installation sends e-mail.
    pub mails: bool,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        let mails = aws.sends_mail();
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()?, egress: aws.egress()?, mails })
    }
}

/// An endpoint to make.
#[derive(Deserialize, ToSchema)]
pub struct NewEndpoint {
    /// What people call it, 1 to 100 characters.
    name: String,
    /// Its address: https, port 443, on the public internet; or `mailto:` and 1 to 10 addresses of e-mail, separated by
    /// commas, where this installation sends e-mail. It is stored encrypted and never shown again.
    #[schema(value_type = String, example = "https://hook.eu1.make.com/…")]
    url: SecretString,
    /// Read from the address; not a field of the body.
    #[serde(skip)]
    #[schema(ignore)]
    host: String,
    /// Where a Make.com webhook is protected by an API key: that key, sent as `x-make-apikey`.
    #[schema(value_type = Option<String>)]
    make_api_key: Option<SecretString>,
    /// The types of event that it wants; `booking.*` for all that begin so. All booking events, unless given. An address of
    /// e-mail may have `alert.*`, `alert.opened` and `alert.resolved`, and has the first unless given.
    #[schema(value_type = Option<Vec<String>>)]
    event_types: Vec<String>,
    /// The form in which it is told: `1` as the booking events document has it, `2` in the envelope of Standard Webhooks
    /// (`type`, `timestamp`, and version 1 as `data`), `slack` for an incoming webhook of Slack, `teams` for a workflow of
    /// Microsoft Teams, `email` for an address of e-mail and for nothing else. `1` unless given, or `email`.
    #[schema(value_type = Option<Form>)]
    payload_version: Form,
    /// For how many days the log of its settled deliveries is kept: 1 to 365, 30 unless given.
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 365)]
    retention_days: u16,
}

/// The endpoint that was made. The secret is shown here and never again.
#[derive(Serialize, ToSchema)]
pub struct EndpointMade {
    endpoint: EndpointView,
    /// Verifies what is sent (Standard Webhooks): `whsec_` and base64.
    signing_secret: String,
}

/// Makes an endpoint. What is sent to it is signed as Standard Webhooks says, with the secret of this answer; an e-mail is
/// not, and bears the id of its delivery as `X-Crossdock-Id`.
///
/// For owners. An endpoint begins to receive with the next event. 409: the tenant has 20 endpoints already.
#[utoipa::path(
    post,
    path = "/api/v1/endpoints",
    operation_id = "endpoint_create",
    tag = "endpoints",
    request_body = NewEndpoint,
    responses((status = 201, description = "It was made", body = EndpointMade))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let person = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let new = NewEndpoint::read(deps, &call)?;
    let keyring = deps.vault.keyring().await?;

    let Person { tenant, subject, .. } = person;
    idempotency::once_sealed(&deps.table, &keyring, &call, tenant, &subject, async || {
        make(&deps.table, &keyring, &call, tenant, new).await
    })
    .await
}

async fn make(table: &Table, keyring: &Keyring, call: &Call, tenant: TenantId, new: NewEndpoint) -> Result<Reply> {
    let plan = Plan {
        id: endpoint::subscriber(),
        name: new.name,
        host: new.host,
        url: new.url,
        make_key: new.make_api_key,
        event_types: new.event_types,
    };
    let (mut endpoint, secret) = Endpoint::new(keyring, tenant, plan, call.now)?;
    (endpoint.form, endpoint.retention_days) = (new.payload_version, new.retention_days);
    store(table, &endpoint).await?;

    Ok(Reply::created(EndpointMade {
        endpoint: EndpointView::of(endpoint, call.now),
        signing_secret: secret.expose_secret().into(),
    }))
}

/// Together with its place among the tenant's endpoints: 409 where there is none left.
async fn store(table: &Table, endpoint: &Endpoint) -> Result<()> {
    for _ in 0..TRIES {
        let tally = Tally::one_more(table, endpoint.tenant).await?;
        if table.transact().change(tally).create(endpoint).send().await? {
            return Ok(());
        }
    }
    Err(Error::conflict("endpoints were made or deleted at the same moment; try again"))
}

impl NewEndpoint {
    fn read(deps: &Deps, call: &Call) -> Result<Self> {
        let mut body = call.fields()?;
        let name: Option<String> = body.required("name");
        let url: Option<SecretString> = body.required("url");
        let is_mail = url.as_ref().is_some_and(|url| is_mailto(url.expose_secret()));
        let (all, form) = match is_mail {
            true => (vec!["alert.*".to_owned()], Form::Email),
            false => (vec!["booking.*".to_owned(), "booking_event.*".to_owned()], Form::default()),
        };
        let make_api_key: Option<SecretString> = body.optional("make_api_key");
        let event_types = body.or("event_types", all);
        let payload_version = body.or("payload_version", form);
        let retention_days = body.or("retention_days", 30);
        rules::name(&mut body, name.as_ref());
        let host = rules::url(&mut body, &deps.egress, deps.mails, url.as_ref());
        rules::fits_address(&mut body, is_mail, payload_version, make_api_key.as_ref(), event_types.as_ref());
        rules::make_key(&mut body, make_api_key.as_ref());
        rules::event_types(&mut body, event_types.as_ref());
        rules::retention_days(&mut body, retention_days);
        body.build(|| {
            Some(Self {
                name: name?,
                url: url?,
                host: host?,
                make_api_key,
                event_types: event_types?,
                payload_version: payload_version?,
                retention_days: retention_days?,
            })
        })
    }
}
