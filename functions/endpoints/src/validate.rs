//! `GET /api/v1/endpoints/{id}/validation`: what is wrong with an endpoint's configuration, before anything is sent.

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::Serialize;
use shared::{
    Result,
    automation::EXECUTED,
    boot::{Aws, Missing},
    egress::{Astray, Egress},
    endpoint::{Endpoint, Holder, State, fits, is_target},
    gate::{Gate, Person, Role},
    http::{Call, Reply},
    id::EndpointId,
    key,
    mail::{Recipients, is_mailto},
    make::is_hook_host,
    receiver::{Receiver, Severity},
    secrets::Vault,
    table::{Row, Table},
};
use utoipa::ToSchema;

/// The types of event that there are.
pub const KNOWN: [&str; 15] = [
    "booking.created",
    "booking.updated",
    "booking.deleted",
    "booking_event.created",
    "booking_event.updated",
    "booking_event.deleted",
    "client.created",
    "client.updated",
    "client.deleted",
    "provider.created",
    "provider.updated",
    "provider.deleted",
    EXECUTED,
    "alert.opened",
    "alert.resolved",
];
/// A rotation that lasts longer than this from now is worth a word.
const LONG: SignedDuration = SignedDuration::from_hours(24);

/// What validating needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// Keys that open its address.
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

/// What is wrong with an endpoint's configuration.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = EndpointValidation)]
pub struct Validation {
    /// Whether there is no error.
    #[serde(rename = "isValid")]
    is_valid: bool,
    /// What keeps events from having an effect.
    errors: Vec<Remark>,
    /// What may, one day, or is not as it should be.
    warnings: Vec<Remark>,
}

/// One thing that is wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointRemark)]
pub struct Remark {
    /// Its name: stable, to be matched on.
    #[schema(example = "host_unknown")]
    name: &'static str,
    /// What it is and what to do, for a person.
    detail: String,
}

/// Looks at the configuration of an endpoint, by its row and by its host's name. Nothing is sent to it.
///
/// For supervisors and above. Errors: `url_not_allowed`, `host_unknown`, `no_mail_sent`, `no_known_event_type`, `disabled`,
/// `held`.
/// Warnings: `not_a_make_hook`, `event_type_unknown`, `no_make_api_key`, `degraded`, `slowed`, `secret_in_rotation`.
/// What is known of its receiver is named as there: `scenario_off`, `queue_filling`, ….
#[utoipa::path(
    get,
    path = "/api/v1/endpoints/{id}/validation",
    operation_id = "endpoint_validate",
    tag = "endpoints",
    params(("id" = EndpointId, Path, description = "The endpoint")),
    responses((status = 200, description = "What is wrong with it", body = Validation))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let Person { tenant, .. } = deps.gate.person(&call, Role::Supervisor).await?.of_whole_tenant()?;
    let id: EndpointId = call.part("id", Endpoint::KIND)?;
    let endpoint = deps.table.get(key::endpoint(tenant, id)).await?;
    let receiver = deps.table.find(key::receiver(tenant, id)).await?;

    let mut found = Validation::default();
    found.address(deps, &endpoint).await?;
    found.event_types(&endpoint);
    found.state(&endpoint);
    found.receiver(receiver.as_ref(), call.now);
    found.secret(&endpoint, call.now);

    found.is_valid = found.errors.is_empty();
    Ok(Reply::ok(found))
}

impl Validation {
    fn error(&mut self, name: &'static str, detail: impl Into<String>) {
        self.errors.push(Remark { name, detail: detail.into() });
    }

    fn warning(&mut self, name: &'static str, detail: impl Into<String>) {
        self.warnings.push(Remark { name, detail: detail.into() });
    }

    async fn address(&mut self, deps: &Deps, endpoint: &Endpoint) -> Result<()> {
        let keyring = deps.vault.keyring().await?;
        let (tenant, id) = (endpoint.tenant.to_string(), endpoint.id.to_string());
        let address = keyring.open(Endpoint::place(&tenant, &id, "url"), &endpoint.url)?;
        if is_mailto(address.expose_secret()) {
            self.recipients(deps, address.expose_secret());
            return Ok(());
        }
        let url = match deps.egress.check(address.expose_secret()) {
            Ok(url) => url,
            Err(why) => {
                self.error("url_not_allowed", format!("its address {why}"));
                return Ok(());
            }
        };
        match deps.egress.look_up(&url).await {
            Ok(()) => {}
            Err(Astray::Refused(why)) => self.error("url_not_allowed", format!("its address {why}")),
            Err(Astray::Unknown) => {
                self.error("host_unknown", format!("no address was found for {}: is it spelt right?", endpoint.host));
            }
        }
        if !deps.egress.vendors_own(&url).is_some_and(|url| url.host_str().is_some_and(is_hook_host)) {
            let host = &endpoint.host;
            self.warning("not_a_make_hook", format!("{host} is not a host of Make.com's webhooks, hook.….make.com"));
        } else if endpoint.make_key.is_none() {
            self.warning(
                "no_make_api_key",
                "whoever knows the webhook's address can call it: give it an API key in Make.com, and the endpoint that key",
            );
        }
        Ok(())
    }

    /// Whether a domain takes mail is not asked: that says a record of it which a connection does not read. A test does.
    fn recipients(&mut self, deps: &Deps, address: &str) {
        if let Err(why) = Recipients::read(address) {
            self.error("url_not_allowed", format!("its address {why}"));
        }
        if !deps.mails {
            self.error(
                "no_mail_sent",
                "this installation sends no e-mail: what is due waits until its operator changes that",
            );
        }
    }

    fn event_types(&mut self, endpoint: &Endpoint) {
        if is_target(endpoint.id) {
            return;
        }
        if !KNOWN.iter().any(|known| endpoint.wants(known)) {
            self.error(
                "no_known_event_type",
                "no type of event that there is fits its event_types: it is sent nothing",
            );
        }
        for wanted in &endpoint.event_types {
            if !KNOWN.iter().any(|known| fits(wanted, known)) {
                self.warning("event_type_unknown", format!("there are no events of the type {wanted}"));
            }
        }
    }

    fn state(&mut self, endpoint: &Endpoint) {
        let why = endpoint.reason.as_deref().unwrap_or("nobody has said why");
        match (endpoint.state, endpoint.held_by) {
            (State::Active, _) => {}
            (State::Degraded, _) => self.warning("degraded", format!("it fails again and again: {why}")),
            (State::Held, Holder::Failures) => {
                self.error("held", format!("what is due to it is parked until a probe succeeds: {why}"));
            }
            (State::Held, Holder::Receiver) => {
                self.error("held", format!("what is due to it is parked until its receiver works again: {why}"));
            }
            (State::Disabled, _) => {
                self.error("disabled", format!("what is due to it is parked until a person enables it: {why}"));
            }
        }
        if endpoint.pace < 100 {
            self.warning(
                "slowed",
                format!("it is sent {} % of its full pace, for its receiver fills up", endpoint.pace),
            );
        }
    }

    fn receiver(&mut self, receiver: Option<&Receiver>, now: Timestamp) {
        for finding in receiver.map(|receiver| receiver.findings(now)).unwrap_or_default() {
            match finding.severity {
                Severity::Error => self.error(finding.name, finding.detail),
                Severity::Warning => self.warning(finding.name, finding.detail),
                Severity::Info => {}
            }
        }
    }

    fn secret(&mut self, endpoint: &Endpoint, now: Timestamp) {
        if let Some(previous) = &endpoint.previous
            && previous.until.duration_since(now) > LONG
        {
            let until = previous.until;
            self.warning("secret_in_rotation", format!("the secret before the present one signs too, until {until}"));
        }
    }
}
