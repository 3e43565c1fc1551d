//! A tenant with two clients, their scenarios and prices, and what tests do with them.

use billing::{Deps, close, correct, get, list};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use make_operations::{fold::Folder, ledger};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::{Call, Reply},
    id::{ClientId, TenantId},
    key,
    rate::Rate,
    run::{Origin, Run, RunStatus},
    scenario::{Mapped, Owner, Scenario},
    table::Table,
    tenant::{Client, Tenant, Zone},
    testing::{person, person_with, table, told},
    usage::OperationType,
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
        Self::over(table().await).await
    }

    /// Another tenant over the same table. The inn has the scenarios 1 and 2, the spa 3, the company 4; 5 is nobody's.
    pub async fn over(table: Table) -> Self {
        let (tenant, table) = (TenantId::new(), table.consistent());
        let time_zone = Zone::try_from("Europe/Lisbon".to_owned()).unwrap();
        let created_at = at("2026-01-01T00:00:00Z");
        table.put(&Tenant { id: tenant, name: "Marina".into(), time_zone, created_at }).await.unwrap();
        let [inn, spa] = [ClientId::new(), ClientId::new()];
        for (id, slug) in [(inn, "inn"), (spa, "spa")] {
            let client = Client { tenant, id, slug: slug.into(), name: slug.to_uppercase(), created_at, revision: 0 };
            table.put(&client).await.unwrap();
        }
        let deps = Deps { gate: Gate::new(table.clone()), table: table.clone() };
        let world = Self { table, tenant, inn, spa, deps };
        let owners = [Owner::Client(inn), Owner::Client(inn), Owner::Client(spa), Owner::Company];
        for (n, owner) in (1..).zip(owners) {
            world.map(n, owner).await;
        }
        world.map_nobody(5).await;
        world
    }

    fn scenario(&self, n: u32) -> Scenario {
        Scenario::heard_of(self.tenant, n.to_string(), format!("=Scenario {n}"), at("2026-01-01T00:00:00Z"))
    }

    async fn map_nobody(&self, n: u32) {
        self.table.put(&self.scenario(n)).await.unwrap();
    }

    /// A scenario runs for somebody on all days; each run saves a minute and a half.
    pub async fn map(&self, n: u32, owner: Owner) {
        let mut scenario = self.scenario(n);
        scenario.mapping = vec![Mapped { from: None, owner, operation_type: OperationType::Call, seconds_saved: 90 }];
        self.table.put(&scenario).await.unwrap();
    }

    /// A price from a day on.
    pub async fn price(&self, client: Option<ClientId>, from: Date, currency: &str, per_credit: &str) {
        let (tenant, per_credit) = (self.tenant, per_credit.parse().unwrap());
        let created_at = at("2026-01-01T00:00:00Z");
        let rate = Rate { tenant, client, from, currency: currency.into(), per_credit, created_at };
        self.table.put(&rate).await.unwrap();
    }

    /// A run that began then, in Make.com's log.
    pub fn run(&self, scenario: u32, id: impl ToString, started_at: Timestamp, n: u64) -> Run {
        let zone = Zone::try_from("Europe/Lisbon".to_owned()).unwrap();
        let (date, hour) = ledger::place(&zone, started_at);
        let status = [RunStatus::Success, RunStatus::Success, RunStatus::Warning, RunStatus::Error][n as usize % 4];
        Run {
            tenant: self.tenant,
            scenario: scenario.to_string(),
            id: id.to_string(),
            started_at,
            date,
            hour,
            status,
            operations: 1 + n % 7,
            centicredits: Some(100 + 37 * n),
            transfer: 0,
            duration_ms: None,
            cost: None,
            origin: Origin::Pulled,
            trace: None,
            revision: 0,
            told_at: started_at,
        }
    }

    /// Every run of every scenario in a time, one each 107 minutes.
    pub fn runs(&self, from: Timestamp, to: Timestamp) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut moment = from;
        while moment < to {
            let n = runs.len() as u64;
            runs.extend((1..=5).map(|scenario| self.run(scenario, n, moment, n % 101 + u64::from(scenario))));
            moment += SignedDuration::from_mins(107);
        }
        runs
    }

    pub async fn record(&self, runs: Vec<Run>) {
        ledger::record(&self.table, self.tenant, runs, at("2027-01-01T00:00:00Z")).await.unwrap();
    }

    pub async fn fold(&self) {
        let folder = Folder::of(&self.table, self.tenant).await.unwrap();
        for note in self.table.list_all(&key::all_unfolded(self.tenant)).await.unwrap() {
            folder.fold(&note, at("2027-02-01T00:00:00Z")).await.unwrap();
        }
    }

    /// All days of a month are folded again.
    pub async fn note(&self, days: impl Iterator<Item = Date>) {
        for date in days {
            ledger::note(&self.table, self.tenant, date, at("2027-01-01T00:00:00Z")).await.unwrap();
        }
    }

    pub fn owner(&self) -> Call {
        person(self.tenant, Role::Owner)
    }

    pub fn limited_to(&self, client: ClientId) -> Call {
        person_with(self.tenant, Role::Owner, &[("client", &client.to_string())])
    }

    pub async fn close_by(&self, call: Call, whose: impl ToString, month: &str) -> (u16, Value) {
        let call = call.with_part("client_id", whose).with_part("month", month).posting(&json!({}));
        told(close::handle(&self.deps, call.at(at("2026-11-02T09:00:00Z"))).await)
    }

    pub async fn close(&self, whose: impl ToString, month: &str) -> (u16, Value) {
        self.close_by(self.owner(), whose, month).await
    }

    pub async fn correct_by(&self, call: Call, whose: impl ToString, month: &str, body: &Value) -> (u16, Value) {
        let call = call.with_part("client_id", whose).with_part("month", month).posting(body);
        told(correct::handle(&self.deps, call.at(at("2026-11-05T09:00:00Z"))).await)
    }

    pub async fn correct(&self, whose: impl ToString, month: &str) -> (u16, Value) {
        self.correct_by(self.owner(), whose, month, &json!({ "reason": "late runs" })).await
    }

    pub async fn ask(&self, call: Call, whose: impl ToString, month: &str, query: &str) -> shared::Result<Reply> {
        let call = call.with_part("client_id", whose).with_part("month", month).with_query(query);
        get::handle(&self.deps, call.at(at("2026-11-05T09:00:00Z"))).await
    }

    /// What the owner sees of a month.
    pub async fn see(&self, whose: impl ToString, month: &str) -> Value {
        let (status, answer) = told(self.ask(self.owner(), whose, month, "").await);
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }

    pub async fn list(&self, call: Call, query: &str) -> (u16, Value) {
        told(list::handle(&self.deps, call.with_query(query).at(at("2026-11-05T09:00:00Z"))).await)
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The day there, worked out apart from what is tested.
pub fn day_in_lisbon(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::get("Europe/Lisbon").unwrap()).date()
}

/// A number of an answer, as it is written.
pub fn number(value: &Value) -> Decimal {
    value.to_string().parse().unwrap_or_else(|_| panic!("{value} is no number"))
}
