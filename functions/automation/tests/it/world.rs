//! A tenant and the functions of this area, and what tests send them.

use automation::{activate, create, shown, webhook};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    egress::Egress,
    gate::{Gate, Role},
    http::Call,
    id::TenantId,
    table::Table,
    testing::{nobody, person, table, told, vault},
};

pub const MAKE: &str = "https://hook.eu1.make.com/abcdefghijklmnop";

/// A tenant and the functions of this area, over one table.
pub struct World {
    pub table: Table,
    pub tenant: TenantId,
    pub create: create::Deps,
    pub switch: shown::Deps,
    pub webhook: webhook::Deps,
}

impl World {
    pub async fn new() -> Self {
        Self::over(table().await)
    }

    pub fn over(table: Table) -> Self {
        let gate = || Gate::new(table.clone());
        Self {
            tenant: TenantId::new(),
            create: create::Deps {
                gate: gate(),
                table: table.clone(),
                vault: vault(),
                egress: Egress::new("", ""),
                public_url: String::new(),
            },
            switch: shown::Deps { gate: gate(), table: table.clone(), public_url: String::new() },
            webhook: webhook::Deps { gate: gate(), table: table.clone(), vault: vault() },
            table,
        }
    }

    pub fn owner(&self) -> Call {
        person(self.tenant, Role::Owner)
    }

    /// A new automation: what creating it answered.
    pub async fn made(&self, body: Value) -> Made {
        let (status, answer) = told(create::handle(&self.create, self.owner().posting(&body)).await);
        assert_eq!(status, 201, "{answer}");
        Made(answer["data"].clone())
    }

    /// A new automation that takes executions.
    pub async fn active(&self, body: Value) -> Made {
        let made = self.made(body).await;
        let (status, answer) = told(activate::handle(&self.switch, self.owner().with_part("id", made.id())).await);
        assert_eq!(status, 200, "{answer}");
        made
    }

    /// What its webhook answers.
    pub async fn run(&self, call: Call) -> (u16, Value) {
        told(webhook::handle(&self.webhook, call).await)
    }
}

pub struct Made(pub Value);

impl Made {
    pub fn id(&self) -> &str {
        self.0["automation"]["id"].as_str().unwrap()
    }

    pub fn secret(&self) -> SecretString {
        self.0["webhookSecret"].as_str().unwrap().into()
    }

    /// An execution, proven by the secret as a header.
    pub fn call(&self, body: &Value) -> Call {
        self.unproven(body).with_header("x-webhook-secret", self.0["webhookSecret"].as_str().unwrap())
    }

    pub fn unproven(&self, body: &Value) -> Call {
        nobody().with_part("id", self.id()).posting(body)
    }
}

pub fn from_template() -> Value {
    json!({ "templateId": "lead-to-crm" })
}

pub fn forwarding() -> Value {
    json!({ "templateId": "lead-to-crm", "makeWebhookUrl": MAKE, "makeApiKey": "make-key-1" })
}

/// Where each fault of a refused request lies.
pub fn pointers(answer: &Value) -> Vec<&str> {
    answer["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect()
}
