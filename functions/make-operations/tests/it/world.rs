//! A tenant with two clients, and what tests send.

use jiff::{Timestamp, ToSpan, civil::Date};
use make_operations::{fold::Folder, metrics, sync};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    id::{ClientId, TenantId},
    key,
    table::Table,
    tenant::{Client, Slug, Tenant, Zone},
    testing::{api_key, machine, person, table, told},
    usage::Usage,
};

pub struct World {
    pub table: Table,
    pub tenant: TenantId,
    pub key: SecretString,
    pub inn: ClientId,
    pub spa: ClientId,
    pub sync: sync::Deps,
    pub metrics: metrics::Deps,
}

impl World {
    pub async fn new() -> Self {
        Self::over(table().await).await
    }

    /// Another tenant over the same table.
    pub async fn over(table: Table) -> Self {
        let tenant = Tenant {
            id: TenantId::new(),
            name: "Marina".into(),
            time_zone: Zone::try_from("Europe/Lisbon".to_owned()).unwrap(),
            created_at: Timestamp::now(),
        };
        table.put(&tenant).await.unwrap();
        let inn = client(&table, tenant.id, "inn").await;
        let spa = client(&table, tenant.id, "spa").await;
        Self {
            key: api_key(&table, tenant.id).await,
            tenant: tenant.id,
            inn,
            spa,
            sync: sync::Deps { gate: Gate::new(table.clone()), table: table.clone() },
            metrics: metrics::Deps { gate: Gate::new(table.clone()), table: table.clone() },
            table,
        }
    }

    /// What a machine of the tenant is answered.
    pub async fn send(&self, call: Call) -> (u16, Value) {
        told(sync::handle(&self.sync, call).await)
    }

    pub fn posting(&self, rows: Value) -> Call {
        machine(&self.key).posting(&json!({ "operations": rows })).at(now())
    }

    /// Stores rows that are good.
    pub async fn store(&self, rows: Value) {
        let (status, answer) = self.send(self.posting(rows)).await;
        assert_eq!(status, 200, "{answer}");
        self.fold().await;
    }

    /// Folds what has to be, as the schedule does.
    pub async fn fold(&self) {
        let table = self.table.clone().consistent();
        let folder = Folder::of(&table, self.tenant).await.unwrap();
        for note in table.list_all(&key::all_unfolded(self.tenant)).await.unwrap() {
            folder.fold(&note, now() + 1.hour()).await.unwrap();
        }
    }

    /// What a person is answered.
    pub async fn ask(&self, call: Call, query: &str) -> (u16, Value) {
        told(metrics::handle(&self.metrics, call.with_query(query).at(now())).await)
    }

    /// What the owner sees.
    pub async fn see(&self, query: &str) -> Value {
        let (status, answer) = self.ask(person(self.tenant, Role::Owner), query).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }

    /// What is stored for a client, or for the company.
    pub async fn stored(&self, client: Option<ClientId>) -> Vec<Usage> {
        let (from, to) = (Date::constant(2000, 1, 1), today() + 2.days());
        self.table.list_all(&key::usage_between(self.tenant, client, from, to)).await.unwrap()
    }
}

async fn client(table: &Table, tenant: TenantId, slug: &str) -> ClientId {
    let client = Client {
        tenant,
        id: ClientId::new(),
        slug: slug.into(),
        name: slug.to_uppercase(),
        created_at: Timestamp::now(),
        revision: 0,
    };
    table.put(&client).await.unwrap();
    let slug = Slug { tenant, slug: slug.into(), client: client.id };
    table.put(&slug).await.unwrap();
    client.id
}

/// Twenty past midnight in Lisbon, and still the day before at UTC minus one.
pub fn now() -> Timestamp {
    "2026-07-21T23:20:00Z".parse().unwrap()
}

/// The tenant's day then.
pub fn today() -> Date {
    Date::constant(2026, 7, 22)
}

/// A row of the company, with changes.
pub fn row(date: &str, changes: Value) -> Value {
    let mut row = json!({
        "scenario_name": "Lead Processing", "scenario_id": "12345", "date": date, "operations_count": 150,
        "operations_limit": 1000, "cost_usd": 7.50, "success_count": 145, "error_count": 5, "status": "active",
    });
    for (name, value) in changes.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

/// Where each fault of a refused request lies.
pub fn pointers(answer: &Value) -> Vec<&str> {
    answer["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect()
}
