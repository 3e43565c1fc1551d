//! A tenant in Lisbon with a client, and what its scenarios do: in a year that is to come, for what is over is kept for a
//! while only, and with the weekdays and clocks of 2026.

use std::collections::BTreeMap;

use alerts::{
    alerts::{Deps, list},
    evaluate::{self, Turn},
    rehearse, rules,
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use make_operations::fold::Folder;
use serde_json::Value;
use shared::{
    alert::{Alert, Kind, Rule, Scope, Subject, Thresholds, Which},
    event::{self, Event},
    gate::{Gate, Role},
    http::Call,
    id::{ClientId, TenantId},
    key,
    run::RunDay,
    scenario::{Mapped, Owner, Scenario, Told},
    sheet::{Cell, DayTotal, Sheet, Stated, Sums, Unfolded},
    table::Table,
    tenant::{Client, Tenant, Zone},
    testing::{person, table, told, vault},
    usage::{OperationType, ScenarioStatus, Usd},
};

pub struct World {
    pub table: Table,
    pub tenant: TenantId,
    pub inn: ClientId,
    pub alerts: Deps,
    pub list: list::Deps,
    pub rules: rules::Deps,
    pub rehearsal: rehearse::Deps,
}

/// What a scenario did in an hour: succeeded, failed, and of the former those that did nothing.
pub type Did = (u64, u64, u64);

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

impl World {
    pub async fn new() -> Self {
        Self::over(table().await).await
    }

    pub async fn over(table: Table) -> Self {
        let now = at("2037-01-01T00:00:00Z");
        let time_zone = Zone::try_from("Europe/Lisbon".to_owned()).unwrap();
        let tenant = Tenant { id: TenantId::new(), name: "Marina".into(), time_zone, created_at: now };
        table.put(&tenant).await.unwrap();
        let id = ClientId::new();
        let client = Client {
            tenant: tenant.id,
            id,
            slug: "inn".into(),
            name: "Harbour Inn".into(),
            created_at: now,
            revision: 0,
        };
        table.put(&client).await.unwrap();
        let gate = || Gate::new(table.clone());
        Self {
            tenant: tenant.id,
            inn: id,
            alerts: Deps { gate: gate(), table: table.clone() },
            list: list::Deps { gate: gate(), table: table.clone(), vault: vault() },
            rules: rules::Deps { gate: gate(), table: table.clone() },
            rehearsal: rehearse::Deps { gate: gate(), table: table.clone() },
            table,
        }
    }

    /// A scenario of the client, as Make.com told of it in January.
    pub async fn scenario(&self, id: &str, change: impl FnOnce(&mut Scenario)) {
        let mut scenario =
            Scenario::heard_of(self.tenant, id.into(), format!("Scenario {id}"), at("2037-01-01T00:00:00Z"));
        let owner = Owner::Client(self.inn);
        scenario.mapping = vec![Mapped { owner, ..Mapped::default() }];
        change(&mut scenario);
        self.table.put(&scenario).await.unwrap();
    }

    /// Runs of an hour since a day began; each of them is an operation, failed ones too.
    pub async fn runs(&self, id: &str, date: &str, hour: u8, (succeeded, failed, empty): Did) {
        let date = day(date);
        let change = self.table.change::<RunDay>(key::run_day(self.tenant, date, id)).or_new();
        let mut change = change
            .set("tenant", self.tenant)
            .set("scenario", id)
            .set("date", date)
            .set("told_at", at("2037-01-01T00:00:00Z"));
        for (letter, n) in [("s", succeeded), ("f", failed), ("e", empty)] {
            if n > 0 {
                change = change.add(&format!("_{letter}"), n).add(&format!("_{hour}{letter}"), n);
            }
        }
        change.add("_o", succeeded + failed).write().await.unwrap();
        self.fold(date).await;
    }

    /// Folds a day, as the schedule does.
    pub async fn fold(&self, date: Date) {
        let table = self.table.clone().consistent();
        let folder = Folder::of(&table, self.tenant).await.unwrap();
        folder.fold(&Unfolded { tenant: self.tenant, date, noted_ms: 0 }, at("2037-12-31T00:00:00Z")).await.unwrap();
    }

    /// What a sync stated of the client's day.
    pub async fn state(&self, name: &str, date: &str, cell: Cell) {
        let stated = Some(Stated { name: name.into(), status: ScenarioStatus::Active, limit: Some(100) });
        let cell = Cell { stated: cell.stated.clone().or(stated), ..cell };
        let subject =
            shared::sheet::Subject { operation_type: OperationType::General, by_id: false, scenario: name.into() };
        let (tenant, owner) = (self.tenant, Owner::Client(self.inn));
        let cells = BTreeMap::from([(subject, cell)]);
        self.table.put(&Sheet { tenant, owner, date: day(date), nth: 0, cells, told_at: None }).await.unwrap();
    }

    /// What a day of the client cost.
    pub async fn cost(&self, date: Date, dollars: u64) {
        let sums = Sums { cost: Usd::from_ten_thousandths(dollars * 10_000), ..Sums::default() };
        let types = BTreeMap::from([(OperationType::General, sums)]);
        let owner = Owner::Client(self.inn);
        self.table.put(&DayTotal { tenant: self.tenant, owner, date, types, told_at: None }).await.unwrap();
    }

    /// A rule that is made.
    pub async fn rule(&self, scope: Scope, thresholds: Thresholds, change: impl FnOnce(&mut Rule)) {
        let created_at = at("2037-01-01T00:00:00Z");
        let mut rule =
            Rule { tenant: self.tenant, scope, thresholds, enabled: true, muted_until: None, revision: 1, created_at };
        change(&mut rule);
        self.table.put(&rule).await.unwrap();
    }

    /// An evaluation of the tenant.
    pub async fn evaluate(&self, now: Timestamp) -> Turn {
        evaluate::one(&self.table, self.tenant, now).await.unwrap()
    }

    /// The alert of a kind about a scenario, if there was one.
    pub async fn alert(&self, kind: Kind, id: &str) -> Option<Alert> {
        self.about(kind, Some(Which { by_id: true, scenario: id.into() })).await
    }

    /// The same about a scenario without an id, or the client as a whole.
    pub async fn about(&self, kind: Kind, scenario: Option<Which>) -> Option<Alert> {
        let subject = Subject { owner: Owner::Client(self.inn), scenario };
        self.table.find_now(key::alert(self.tenant, subject.alert(self.tenant, kind))).await.unwrap()
    }

    /// The event that tells of an alert as it is.
    pub async fn event(&self, alert: &Alert) -> Option<Event> {
        let (opened, revision) = (alert.opened_at.as_millisecond().to_be_bytes(), alert.revision.to_be_bytes());
        let id = event::identity(self.tenant, &[b"alert", alert.id.as_bytes(), &opened, &revision]);
        self.table.find_now(key::event(self.tenant, id)).await.unwrap()
    }

    pub fn owner(&self) -> Call {
        person(self.tenant, Role::Owner)
    }

    /// What a page of alerts says.
    pub async fn listed(&self, call: Call, query: &str) -> (u16, Value) {
        told(list::handle(&self.list, call.with_query(query)).await)
    }
}

/// How Make.com says that a scenario is doing.
pub fn says(status: ScenarioStatus, since: &str) -> Told {
    Told { status, team: None, scheduling: None, interval_s: None, incomplete: None, gone_since: None, at: at(since) }
}

/// A cell of runs that failed or not.
pub fn cell(operations: u64, succeeded: u64, failed: u64) -> Cell {
    Cell { operations, succeeded, failed, ..Cell::default() }
}
