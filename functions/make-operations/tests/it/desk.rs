//! What people and machines do with runs and scenarios.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan, civil::Date};
use make_operations::{refold, runs, scenarios, webhook};
use serde_json::{Value, json};
use shared::{
    gate::{Gate, Role},
    http::Call,
    key,
    scenario::{Owner, Scenario},
    sheet::{Cell, Subject},
    testing::{machine, person, told, vault},
};

use crate::{World, world::now};

impl World {
    fn gate(&self) -> Gate {
        // One gate leases calls once.
        self.sync.gate.clone()
    }

    pub fn owner(&self) -> Call {
        person(self.tenant, Role::Owner)
    }

    /// What a webhook is answered.
    pub async fn tell(&self, body: &Value) -> (u16, Value) {
        self.tell_by(machine(&self.key).posting(body).at(now())).await
    }

    pub async fn tell_by(&self, call: Call) -> (u16, Value) {
        let deps = webhook::Deps { gate: self.gate(), table: self.table.clone() };
        told(webhook::handle(&deps, call).await)
    }

    /// What became of runs that are good.
    pub async fn hear(&self, body: Value) -> Value {
        let (status, answer) = self.tell(&body).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }

    pub async fn runs(&self, call: Call, query: &str) -> (u16, Value) {
        let deps = runs::Deps { gate: self.gate(), table: self.table.clone(), vault: vault() };
        told(runs::handle(&deps, call.with_query(query).at(now())).await)
    }

    pub async fn scenarios(&self, call: Call, query: &str) -> (u16, Value) {
        let deps = scenarios::list::Deps { gate: self.gate(), table: self.table.clone(), vault: vault() };
        told(scenarios::list::handle(&deps, call.with_query(query).at(now())).await)
    }

    pub async fn scenario(&self, call: Call, id: &str) -> (u16, Value) {
        let deps = scenarios::get::Deps { gate: self.gate(), table: self.table.clone() };
        told(scenarios::get::handle(&deps, call.with_part("id", id).at(now())).await)
    }

    pub async fn map_by(&self, call: Call, id: &str, body: &Value) -> (u16, Value) {
        let deps = scenarios::map::Deps { gate: self.gate(), table: self.table.clone() };
        told(scenarios::map::handle(&deps, call.with_part("id", id).posting(body).at(now())).await)
    }

    /// Maps as the owner, who has just looked.
    pub async fn map(&self, id: &str, body: Value) -> (u16, Value) {
        let etag = self.stored_scenario(id).await.etag();
        self.map_by(self.owner().with_header("if-match", &etag), id, &body).await
    }

    pub async fn stored_scenario(&self, id: &str) -> Scenario {
        self.table.get(key::scenario(self.tenant, id)).await.unwrap()
    }

    /// Folds what was noted, at a time.
    pub async fn refold(&self, at: Timestamp) -> refold::Refolded {
        refold::all(&self.table, at, refold::Terms::default()).await.unwrap()
    }

    /// The days that are noted.
    pub async fn noted(&self) -> Vec<Date> {
        let notes = self.table.list_all(&key::all_unfolded(self.tenant)).await.unwrap();
        notes.into_iter().map(|note| note.date).collect()
    }

    /// Every cell of every sheet.
    pub async fn cells(&self) -> BTreeMap<(Owner, Date, Subject), Cell> {
        let mut all = BTreeMap::new();
        for owner in [Owner::Company, Owner::Unmapped, Owner::Client(self.inn), Owner::Client(self.spa)] {
            let range = key::sheets(self.tenant, owner, Date::constant(2025, 1, 1), Date::constant(2027, 1, 1));
            for sheet in self.table.list_all(&range).await.unwrap() {
                let (date, cells) = (sheet.date, sheet.cells.into_iter());
                all.extend(cells.map(|(subject, cell)| ((owner, date, subject), cell)));
            }
        }
        all
    }
}

/// A run in the words of the source document.
pub fn execution(timestamp: &str, changes: Value) -> Value {
    let mut run = json!({ "status": "success", "operations_consumed": 5, "cost_usd": 0.25, "timestamp": timestamp });
    for (name, value) in changes.as_object().unwrap() {
        run[name] = value.clone();
    }
    run
}

/// Runs of the scenario of the source document.
pub fn body(executions: Value) -> Value {
    json!({ "scenario_id": "12345", "scenario_name": "Lead Processing", "executions": executions })
}

/// A run in Make.com's words.
pub fn record(id: &str, timestamp: &str, changes: Value) -> Value {
    let mut run = json!({
        "imtId": format!("1795230184497_scenario.418339.auto.{id}"), "id": id, "type": "auto", "status": 1,
        "duration": 19_979, "operations": 10, "centicredits": 1_000, "transfer": 3_942, "organizationId": 21,
        "teamId": 27, "authorId": null, "instant": false, "timestamp": timestamp,
    });
    for (name, value) in changes.as_object().unwrap() {
        run[name] = value.clone();
    }
    run
}

/// Long enough after for every note to be settled.
pub fn later() -> Timestamp {
    now() + 10.minutes()
}
