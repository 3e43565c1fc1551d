//! `POST /api/v1/automation`: puts a template to work.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    Error, Result,
    automation::{Automation, MOST},
    boot::{Aws, Missing},
    egress::Egress,
    endpoint::{self, Endpoint, Plan, is_make_key},
    gate::{Gate, Person, Role},
    http::{Call, Fields, Reply},
    id::AutomationId,
    idempotency, key,
    secrets::{Keyring, Vault, fingerprint, webhook_secret},
    table::Table,
};

use crate::{
    catalogue::{self, TEMPLATES, Template},
    shown::{self, Executions, Shown},
};

/// What creating needs.
pub struct Deps {
    /// Who may call.
    pub gate: Gate,
    /// The table.
    pub table: Table,
    /// The keys that seal secrets.
    pub vault: Vault,
    /// Which addresses may be called.
    pub egress: Egress,
    /// Under which the outside reaches us, if it was given.
    pub public_url: String,
}

impl Deps {
    /// What the function is wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self {
            gate: aws.gate()?,
            table: aws.table()?,
            vault: aws.vault()?,
            egress: aws.egress()?,
            public_url: aws.setting("PUBLIC_URL"),
        })
    }
}

/// An automation to be made.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "the document's form of what `New::read` reads field by field")]
pub struct NewAutomation {
    /// One of the templates.
    #[schema(example = "lead-to-crm")]
    template_id: String,
    /// Up to 100 characters; the template's name unless given.
    name: Option<String>,
    /// The scenario behind it, as Make.com numbers it: text or a number.
    #[schema(example = "418339")]
    make_scenario_id: Option<String>,
    /// A Make.com webhook (or any HTTPS address on the public internet) that executions are forwarded to.
    #[schema(example = "https://hook.eu1.make.com/abcdefghijklmnop")]
    make_webhook_url: Option<String>,
    /// The key that this webhook asks for in `x-make-apikey`.
    make_api_key: Option<String>,
}

/// The automation that was made. Its secrets are shown here and never again.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AutomationMade)]
pub struct Made {
    automation: Shown,
    /// Where executions are sent to.
    webhook_url: String,
    /// What they prove themselves with: as it is in `X-Webhook-Secret`, or as the key of a Standard Webhooks signature.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    webhook_secret: String,
    /// Signs what is forwarded, so that the receiver can tell it is ours; null where nothing is.
    signing_secret: Option<String>,
    /// What is left to be done, `step1` to `step5`.
    setup_instructions: BTreeMap<&'static str, String>,
}

/// Makes an automation from a template. It is inactive until it is activated. With `makeWebhookUrl`, what its webhook
/// accepts is forwarded there, signed and with retries; the address must lead to the public internet by HTTPS.
///
/// `webhookSecret` and `signingSecret` are shown in this answer alone. 409: the tenant has 100 automations already.
#[utoipa::path(
    post,
    path = "/api/v1/automation",
    operation_id = "automation_create",
    tag = "automation",
    request_body = NewAutomation,
    responses((status = 201, description = "The automation, its address and its secret", body = Made))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    let owner = deps.gate.person(&call, Role::Owner).await?.of_whole_tenant()?;
    let keyring = deps.vault.keyring().await?;

    idempotency::once_sealed(&deps.table, &keyring, &call, owner.tenant, &owner.subject, async || {
        let new = New::read(call.fields()?, &deps.egress)?;
        make(deps, &keyring, &owner, &call, new).await
    })
    .await
}

async fn make(deps: &Deps, keyring: &Keyring, owner: &Person, call: &Call, new: New) -> Result<Reply> {
    let secret = webhook_secret();
    let id = AutomationId::new();
    let target = new.target.map(|target| target.endpoint(keyring, owner, &new.name, call.now)).transpose()?;
    let automation = Automation {
        tenant: owner.tenant,
        id,
        template: new.template.id.into(),
        template_version: new.template.version,
        name: new.name,
        active: false,
        make_scenario: new.scenario,
        endpoint: target.as_ref().map(|(endpoint, _)| endpoint.id),
        host: target.as_ref().map(|(endpoint, _)| endpoint.host.clone()),
        secret: Automation::seal(keyring, owner.tenant, id, &secret)?,
        fingerprint: fingerprint(&secret),
        previous: None,
        created_at: call.now,
        switched_at: None,
    };
    let tally = deps
        .table
        .change(key::automation_tally(owner.tenant))
        .or_new()
        .set("tenant", owner.tenant)
        .add("total", 1)
        .when_at_most_or_missing("total", MOST - 1);
    let mut writes = deps.table.transact().change(tally).create(&automation);
    if let Some((endpoint, _)) = &target {
        writes = writes.create(endpoint);
    }
    if !writes.send().await? {
        return Err(Error::conflict(format!("a tenant may have {MOST} automations")));
    }

    let public_url = call.public_url(&deps.public_url);
    let webhook_url = shown::webhook_url(&public_url, id);
    Ok(Reply::created(Made {
        automation: shown::one(&public_url, &automation, Executions::default()),
        setup_instructions: instructions(&webhook_url, &secret),
        webhook_url,
        webhook_secret: secret.expose_secret().into(),
        signing_secret: target.map(|(_, secret)| secret.expose_secret().into()),
    }))
}

/// What to do next in Make.com, with address and secret put in.
fn instructions(webhook_url: &str, secret: &SecretString) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("step1", "Create a new scenario in Make.com".into()),
        ("step2", format!("Add a webhook trigger and use this URL: {webhook_url}")),
        ("step3", format!("Add the webhook secret as a header: X-Webhook-Secret: {}", secret.expose_secret())),
        ("step4", "Configure your desired actions (send to CRM, Slack, etc.)".into()),
        ("step5", "Activate the automation in your dashboard".into()),
    ])
}

/// An automation to be made, found good.
struct New {
    template: &'static Template,
    name: String,
    scenario: Option<String>,
    target: Option<Target>,
}

/// Where executions are to be forwarded to.
struct Target {
    host: String,
    url: SecretString,
    make_key: Option<SecretString>,
}

impl New {
    fn read(mut body: Fields, egress: &Egress) -> Result<Self> {
        let template = template(&mut body);
        let name: Option<String> = body.optional("name");
        let scenario: Option<Value> = body.optional("makeScenarioId");
        let url: Option<String> = body.optional("makeWebhookUrl");
        let make_key: Option<String> = body.optional("makeApiKey");

        let name = name.map(|name| name.trim().to_owned());
        if name
            .as_ref()
            .is_some_and(|name| name.is_empty() || name.chars().count() > 100 || name.contains(char::is_control))
        {
            body.fault("name", "must have 1 to 100 characters");
        }
        let scenario = scenario.and_then(|scenario| {
            let read = scenario_id(&scenario);
            if read.is_none() {
                body.fault("makeScenarioId", "must be a text of 1 to 64 characters, or a whole number");
            }
            read
        });
        if make_key.is_some() && url.is_none() {
            body.fault("makeApiKey", "belongs to a makeWebhookUrl, and there is none");
        }
        if make_key.as_ref().is_some_and(|key| !is_make_key(key)) {
            body.fault("makeApiKey", "must have 1 to 512 visible ASCII characters");
        }
        let target = url.and_then(|url| match egress.check(&url) {
            Ok(checked) => Some(Target {
                host: shared::egress::host(&checked),
                url: url.into(),
                make_key: make_key.map(Into::into),
            }),
            Err(why) => {
                body.fault("makeWebhookUrl", why.to_string());
                None
            }
        });
        body.build(|| {
            let template = template?;
            Some(Self { template, name: name.unwrap_or_else(|| template.name.into()), scenario, target })
        })
    }
}

fn template(body: &mut Fields) -> Option<&'static Template> {
    let id: String = body.required("templateId")?;
    let found = catalogue::find(&id);
    if found.is_none() {
        let known: Vec<&str> = TEMPLATES.iter().map(|template| template.id).collect();
        body.fault("templateId", format!("must be one of {}", known.join(", ")));
    }
    found
}

/// Make.com numbers its scenarios; callers may write them as text.
fn scenario_id(given: &Value) -> Option<String> {
    match given {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| (1..=64).contains(&text.chars().count())),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}

impl Target {
    /// The endpoint that is only sent what names it; and the secret that signs.
    fn endpoint(
        self,
        keyring: &Keyring,
        owner: &Person,
        name: &str,
        now: Timestamp,
    ) -> Result<(Endpoint, SecretString)> {
        let plan = Plan {
            id: endpoint::target(),
            name: name.into(),
            host: self.host,
            url: self.url,
            make_key: self.make_key,
            event_types: Vec::new(),
        };
        Endpoint::new(keyring, owner.tenant, plan, now)
    }
}
