//! `POST /api/v1/endpoints`: a new endpoint, for instance a Make.com webhook.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    egress::Egress,
    endpoint::{self, Endpoint, Plan, is_make_key},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::TenantId,
    idempotency, key,
    secrets::{Keyring, Vault},
    table::{Created, Table},
};
use utoipa::ToSchema;

use crate::EndpointView;

/// A tenant has at most so many: each event costs writes for each of them.
const MOST: usize = 20;

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
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?, vault: aws.vault()?, egress: aws.egress()? })
    }
}

/// An endpoint to make.
#[derive(Deserialize, ToSchema)]
pub struct NewEndpoint {
    /// What people call it, 1 to 100 characters.
    name: String,
    /// Its address: https, port 443, on the public internet. It is stored encrypted and never shown again.
    #[schema(value_type = String, example = "https://hook.eu1.make.com/…")]
    url: SecretString,
    /// Read from the address; not a field of the body.
    #[serde(skip)]
    #[schema(ignore)]
    host: String,
    /// Where a Make.com webhook is protected by an API key: that key, sent as `x-make-apikey`.
    #[schema(value_type = Option<String>)]
    make_api_key: Option<SecretString>,
    /// The types of event that it wants; `booking.*` for all that begin so. All booking events, unless given.
    #[schema(value_type = Option<Vec<String>>)]
    event_types: Vec<String>,
}

/// The endpoint that was made. The secret is shown here and never again.
#[derive(Serialize, ToSchema)]
pub struct EndpointMade {
    endpoint: EndpointView,
    /// Verifies what is sent (Standard Webhooks): `whsec_` and base64.
    signing_secret: String,
}

/// Makes an endpoint. What is sent to it is signed as Standard Webhooks says, with the secret of this answer.
///
/// For owners. An endpoint begins to receive with the next event.
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
    let new = NewEndpoint::read(&call, &deps.egress)?;
    let keyring = deps.vault.keyring().await?;

    let Person { tenant, subject, .. } = person;
    idempotency::once_sealed(&deps.table, &keyring, &call, tenant, &subject, async || {
        make(&deps.table, &keyring, &call, tenant, new).await
    })
    .await
}

async fn make(table: &Table, keyring: &Keyring, call: &Call, tenant: TenantId, new: NewEndpoint) -> Result<Reply> {
    if table.list_all(&key::endpoints(tenant)).await?.len() >= MOST {
        return Err(Error::conflict("a tenant has at most 20 endpoints"));
    }
    let plan = Plan {
        id: endpoint::subscriber(),
        name: new.name,
        host: new.host,
        url: new.url,
        make_key: new.make_api_key,
        event_types: new.event_types,
    };
    let (endpoint, secret) = Endpoint::new(keyring, tenant, plan, call.now)?;
    match table.create(&endpoint).await? {
        Created::New => Ok(Reply::created(EndpointMade {
            endpoint: endpoint.into(),
            signing_secret: secret.expose_secret().into(),
        })),
        Created::Was(_) => Err(Error::conflict("the endpoint exists already")),
    }
}

impl NewEndpoint {
    fn read(call: &Call, egress: &Egress) -> Result<Self> {
        let mut body = call.fields()?;
        let name: Option<String> = body.required("name");
        let url: Option<SecretString> = body.required("url");
        let make_api_key: Option<SecretString> = body.optional("make_api_key");
        let event_types = body.or("event_types", vec!["booking.*".to_owned(), "booking_event.*".to_owned()]);
        if name.as_ref().is_some_and(|name| name.trim().is_empty() || name.chars().count() > 100) {
            body.fault("name", "must have 1 to 100 characters");
        }
        let checked = url.as_ref().map(|url| egress.check(url.expose_secret()));
        if let Some(Err(why)) = &checked {
            body.fault("url", why.to_string());
        }
        if make_api_key.as_ref().is_some_and(|key| !is_make_key(key.expose_secret())) {
            body.fault("make_api_key", "must have 1 to 512 ASCII characters");
        }
        if event_types
            .as_ref()
            .is_some_and(|types| types.len() > 50 || types.iter().any(|one| one.is_empty() || one.len() > 100))
        {
            body.fault("event_types", "must have at most 50 entries of 1 to 100 characters");
        }
        body.build(|| {
            let host = shared::egress::host(&checked?.ok()?);
            Some(Self { name: name?, url: url?, host, make_api_key, event_types: event_types? })
        })
    }
}
