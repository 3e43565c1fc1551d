//! `PATCH /api/v1/endpoints/{id}`: changes what people have set of an endpoint.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use shared::{
    Error, Result,
    boot::{Aws, Missing},
    egress::Egress,
    endpoint::{Endpoint, is_target},
    event::Form,
    gate::{Gate, Person, Role},
    http::{Call, Fields, Reply},
    id::EndpointId,
    key,
    mail::is_mailto,
    secrets::Vault,
    table::{Row, Table},
};
use utoipa::ToSchema;

use crate::{
    rules,
    shown::{self, EndpointView},
};

/// What changing needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that seal its address and key.
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

/// What to change; the rest stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = EndpointChange)]
pub struct Changes {
    /// What people call it, 1 to 100 characters.
    name: Option<String>,
    /// Its address: https, port 443, on the public internet; or `mailto:` and addresses, of one that has such an address.
    #[schema(value_type = Option<String>)]
    url: Option<SecretString>,
    /// Read from the address; not a field of the body.
    #[serde(skip)]
    #[schema(ignore)]
    host: Option<String>,
    /// The key that the Make webhook asks for in `x-make-apikey`; null where it no longer asks for one.
    #[schema(value_type = Option<String>)]
    make_api_key: Option<Option<SecretString>>,
    /// The types of event that it wants; `booking.*` for all that begin so.
    event_types: Option<Vec<String>>,
    /// The form in which it is told; `email` of an address of e-mail, and of nothing else.
    payload_version: Option<Form>,
    /// For how many days the log of its settled deliveries is kept: holds for deliveries to come.
    #[schema(minimum = 1, maximum = 365)]
    retention_days: Option<u16>,
}

/// Changes an endpoint: whatever is given. Functions that are at work believe the old settings for 5 seconds more. One that
/// is held is tried at its new address by its next probe; `enable` opens it at once.
///
/// For owners. `If-Match` names the version that was seen: 428 without it, 412 where somebody has changed it since. An
/// automation's own endpoint keeps its address and wants no types of event. A webhook does not become an address of e-mail,
/// nor the other way round.
#[utoipa::path(
    patch,
    path = "/api/v1/endpoints/{id}",
    operation_id = "endpoint_update",
    tag = "endpoints",
    params(
        ("id" = EndpointId, Path, description = "The endpoint"),
        ("If-Match" = String, Header, description = "The `etag` of the endpoint that was seen"),
    ),
    request_body = Changes,
    responses((status = 200, description = "The endpoint as it is now", body = EndpointView))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let id: EndpointId = call.part("id", Endpoint::KIND)?;
    let endpoint = deps.table.get(key::endpoint(tenant, id)).await?;
    call.seen()?.includes(&endpoint.etag())?;
    let changes = Changes::read(call.fields()?, deps, &endpoint)?;

    let changed = write(deps, &endpoint, changes).await?;

    Ok(shown::reply(changed, call.now))
}

async fn write(deps: &Deps, endpoint: &Endpoint, changes: Changes) -> Result<Endpoint> {
    let elsewhere = changes.host.as_ref().is_some_and(|host| *host != endpoint.host);
    if elsewhere && endpoint.make_key.is_some() && changes.make_api_key.is_none() {
        // The key must not follow to an address that its giver has not seen.
        return Err(Error::invalid("/make_api_key", "give it again, or null: the new url leads to another host"));
    }
    let keyring = deps.vault.keyring().await?;
    let (tenant, id) = (endpoint.tenant.to_string(), endpoint.id.to_string());
    let seal = |field, text: &SecretString| keyring.seal(Endpoint::place(&tenant, &id, field), text);

    let mut change = deps.table.change(key::endpoint(endpoint.tenant, endpoint.id)).add("revision", 1);
    if let Some(name) = changes.name {
        change = change.set("name", name);
    }
    if let (Some(url), Some(host)) = (changes.url, changes.host) {
        change = change.set("url", seal("url", &url)?).set("host", host);
    }
    if let Some(key) = changes.make_api_key {
        change = change.set_or_remove("make_key", key.map(|key| seal("make_key", &key)).transpose()?);
    }
    if let Some(types) = changes.event_types {
        change = change.set("event_types", types);
    }
    if let Some(form) = changes.payload_version {
        change = change.set("form", form);
    }
    if let Some(days) = changes.retention_days {
        change = change.set("retention_days", days);
    }
    change.when_there().when_or_missing("revision", endpoint.revision).send().await?.ok_or(Error::Stale)
}

impl Changes {
    fn read(mut body: Fields, deps: &Deps, endpoint: &Endpoint) -> Result<Self> {
        let name = given(&mut body, "name");
        let url = given(&mut body, "url");
        let make_api_key: Option<Option<SecretString>> = body.change("make_api_key");
        let event_types = given(&mut body, "event_types");
        let payload_version = given(&mut body, "payload_version");
        let retention_days = given(&mut body, "retention_days");
        rules::name(&mut body, name.as_ref());
        let host = rules::url(&mut body, &deps.egress, deps.mails, url.as_ref());
        let is_mail = endpoint.form == Form::Email;
        if url.as_ref().is_some_and(|url: &SecretString| is_mailto(url.expose_secret()) != is_mail) {
            body.fault("url", "cannot lead from a webhook to e-mail, or back: make another endpoint");
        }
        let new_key = make_api_key.as_ref().and_then(Option::as_ref);
        rules::fits_address(&mut body, is_mail, payload_version, new_key, event_types.as_ref());
        rules::make_key(&mut body, new_key);
        rules::event_types(&mut body, event_types.as_ref());
        rules::retention_days(&mut body, retention_days);
        if is_target(endpoint.id) {
            for (field, given) in [("url", url.is_some()), ("event_types", event_types.is_some())] {
                if given {
                    body.fault(field, "cannot be changed: this endpoint belongs to an automation");
                }
            }
        }
        body.build(|| Some(Self { name, url, host, make_api_key, event_types, payload_version, retention_days }))
    }
}

/// A field that can be changed and not removed.
fn given<T: DeserializeOwned>(body: &mut Fields, name: &str) -> Option<T> {
    let change = body.change(name)?;
    if change.is_none() {
        body.fault(name, "cannot be removed");
    }
    change
}
