//! A tenant with two clients, and days of its scenarios.

use std::collections::BTreeMap;

use forecasts::{Deps, advice, allowance, forecast};
use jiff::{Timestamp, ToSpan, civil::Date};
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    id::{ClientId, TenantId},
    rate::Rate,
    run::RunDay,
    scenario::{Mapped, Owner, Scenario, Told},
    sheet::{Cell, DayTotal, Sheet, Subject},
    table::Table,
    tenant::{Client, Slug, Tenant, Zone},
    testing::{person, person_with, table, told},
    usage::{OperationType, ScenarioStatus},
};

pub struct World {
    pub table: Table,
    pub tenant: TenantId,
    pub inn: ClientId,
    pub spa: ClientId,
    pub deps: Deps,
}

impl World {
    pub async fn new() -> Self {
        let (tenant, table) = (TenantId::new(), table().await);
        let time_zone = Zone::try_from("Europe/Lisbon".to_owned()).unwrap();
        table.put(&Tenant { id: tenant, name: "Marina".into(), time_zone, created_at: now() }).await.unwrap();
        let [inn, spa] = [ClientId::new(), ClientId::new()];
        for (id, slug) in [(inn, "inn"), (spa, "spa")] {
            let client =
                Client { tenant, id, slug: slug.into(), name: slug.to_uppercase(), created_at: now(), revision: 0 };
            table.put(&client).await.unwrap();
            table.put(&Slug { tenant, slug: slug.into(), client: id }).await.unwrap();
        }
        let deps = Deps { gate: Gate::new(table.clone()), table: table.clone() };
        Self { table, tenant, inn, spa, deps }
    }

    /// What scenarios of an owner did on a day.
    pub async fn day(&self, owner: Owner, date: Date, cells: impl IntoIterator<Item = (u32, Cell)>) {
        self.day_told(owner, date, now(), cells).await;
    }

    /// The same, told of at that time.
    pub async fn day_told(
        &self,
        owner: Owner,
        date: Date,
        told_at: Timestamp,
        cells: impl IntoIterator<Item = (u32, Cell)>,
    ) {
        let cells: BTreeMap<Subject, Cell> = cells
            .into_iter()
            .map(|(n, cell)| {
                let subject = Subject { operation_type: OperationType::Call, by_id: true, scenario: n.to_string() };
                (subject, cell)
            })
            .collect();
        let sheet = Sheet { tenant: self.tenant, owner, date, nth: 0, cells, told_at: Some(told_at) };
        self.table.put(&DayTotal::of(&sheet)).await.unwrap();
        self.table.put(&sheet).await.unwrap();
    }

    /// The same of so many days before today, the last of them yesterday.
    pub async fn days(&self, owner: Owner, count: i64, cells: impl Fn(i64) -> Vec<(u32, Cell)>) {
        for ago in 1..=count {
            self.day(owner, today() - ago.days(), cells(ago)).await;
        }
    }

    pub async fn scenario(&self, n: u32, owner: Owner, change: impl FnOnce(&mut Scenario)) {
        let created_at = now() - (24 * 90).hours();
        let mut scenario = Scenario::heard_of(self.tenant, n.to_string(), format!("Scenario {n}"), created_at);
        scenario.mapping = vec![Mapped { from: None, owner, operation_type: OperationType::Call, seconds_saved: 0 }];
        scenario.told = Some(Told {
            status: ScenarioStatus::Active,
            team: None,
            scheduling: Some("indefinitely".into()),
            interval_s: Some(900),
            incomplete: Some(0),
            gone_since: None,
            at: created_at,
        });
        change(&mut scenario);
        self.table.put(&scenario).await.unwrap();
    }

    /// How many runs of a scenario failed on a day, by hour since it began.
    pub async fn failed(&self, n: u32, date: Date, hours: &[(u8, u64)]) {
        let mut row =
            json!({ "tenant": self.tenant, "scenario": n.to_string(), "date": date, "told_at": now(), "usage": null });
        for (hour, failed) in hours {
            row[format!("_{hour}f")] = json!(failed);
        }
        self.table.put(&serde_json::from_value::<RunDay>(row).unwrap()).await.unwrap();
    }

    pub async fn price(&self, client: Option<ClientId>, from: Date, currency: &str, per_credit: &str) {
        let (tenant, per_credit) = (self.tenant, per_credit.parse().unwrap());
        let rate = Rate { tenant, client, from, currency: currency.into(), per_credit, created_at: now() };
        self.table.put(&rate).await.unwrap();
    }

    pub fn person(&self, role: Role) -> Call {
        person(self.tenant, role)
    }

    pub fn limited_to(&self, client: ClientId) -> Call {
        person_with(self.tenant, Role::Owner, &[("client", &client.to_string())])
    }

    pub async fn forecast_by(&self, call: Call, query: &str) -> (u16, Value) {
        told(forecast::handle(&self.deps, call.with_query(query).at(now())).await)
    }

    /// The forecast of everything at another time.
    pub async fn forecast_at(&self, now: &str) -> Value {
        let call = self.person(Role::Owner).at(now.parse().unwrap());
        let (status, answer) = told(forecast::handle(&self.deps, call).await);
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }

    pub async fn forecast(&self, query: &str) -> Value {
        let (status, answer) = self.forecast_by(self.person(Role::Owner), query).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }

    pub async fn allow_by(&self, call: Call, body: &Value) -> (u16, Value) {
        told(allowance::handle(&self.deps, call.posting(body).at(now())).await)
    }

    pub async fn advice_by(&self, call: Call, query: &str) -> (u16, Value) {
        told(advice::handle(&self.deps, call.with_query(query).at(now())).await)
    }

    pub async fn advice(&self, query: &str) -> Vec<Value> {
        let (status, answer) = self.advice_by(self.person(Role::Owner), query).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"]["suggestions"].as_array().unwrap().clone()
    }
}

/// The faults that an answer names.
pub fn faults(answer: &Value) -> Vec<&str> {
    answer["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect()
}

/// Ten in the morning of the 22nd of November 2026 in Lisbon, a Sunday.
pub fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

pub fn today() -> Date {
    Date::constant(2026, 11, 22)
}

/// So many operations at one credit each, of runs of ten.
pub fn cell(operations: u64) -> Cell {
    Cell { operations, centicredits: Some(100 * operations), succeeded: operations / 10, ..Cell::default() }
}
