//! A tenant that reports its activity, and looks at its dashboard.

use dashboard::{
    aggregate::{self, Period},
    ingest, kpi,
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    gate::Role,
    http::Call,
    id::TenantId,
    key,
    snapshot::{Scope, Series, Snapshot},
    table::Table,
    tenant::Tenant,
    testing::{self, api_key, machine, person_with, told},
};

pub struct Desk {
    pub table: Table,
    pub tenant: TenantId,
    pub key: SecretString,
    pub ingest: ingest::Deps,
}

pub fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

pub const LEASE: SignedDuration = SignedDuration::from_secs(60);

impl Desk {
    pub async fn in_zone(zone: &str) -> Self {
        Self::at_table(testing::table().await, zone).await
    }

    pub async fn at_table(table: Table, zone: &str) -> Self {
        let tenant = TenantId::new();
        table
            .put(&Tenant {
                id: tenant,
                name: "Marina".into(),
                time_zone: zone.to_owned().try_into().unwrap(),
                created_at: at("2026-01-01T00:00:00Z"),
            })
            .await
            .unwrap();
        let key = api_key(&table, tenant).await;
        Self { ingest: ingest::Deps::new(table.clone()), table, tenant, key }
    }

    pub async fn post(&self, events: &[Value], now: &str) -> (u16, Value) {
        let call = machine(&self.key).posting(&json!({ "events": events })).at(at(now));
        told(ingest::handle(&self.ingest, call).await)
    }

    pub async fn report(&self, events: &[Value], now: &str) {
        let (status, body) = self.post(events, now).await;
        assert_eq!(status, 202, "{body}");
    }

    pub async fn fold(&self, period: Period, now: &str) {
        assert!(aggregate::one(&self.table, self.tenant, period, at(now), LEASE).await.unwrap());
    }

    pub async fn kpi(&self, call: Call, query: &str, now: &str) -> (u16, Value) {
        let deps = kpi::Deps::new(self.table.clone());
        told(kpi::handle(&deps, call.with_query(query).at(at(now))).await)
    }

    pub async fn strip(&self, query: &str, now: &str) -> Value {
        let (status, body) = self.kpi(self.owner(), query, now).await;
        assert_eq!(status, 200, "{body}");
        body["data"]["kpis"].clone()
    }

    pub fn owner(&self) -> Call {
        self.somebody(Role::Owner, &[])
    }

    pub fn somebody(&self, role: Role, claims: &[(&str, &str)]) -> Call {
        person_with(self.tenant, role, claims)
    }

    pub async fn days(&self, scope: Scope, from: &str, to: &str) -> Vec<Snapshot> {
        let series = Series { scope, channel: None };
        let (from, to): (Date, Date) = (from.parse().unwrap(), to.parse().unwrap());
        self.table.list_all(&key::days(self.tenant, &series, from, to)).await.unwrap()
    }

    pub async fn hours(&self, scope: Scope, date: &str) -> Vec<Snapshot> {
        let series = Series { scope, channel: None };
        self.table.list_all(&key::hours_of_day(self.tenant, &series, date.parse().unwrap())).await.unwrap()
    }
}

/// An event with an id of its own, made from what it says.
pub fn event(what: &str, time: &str, more: Value) -> Value {
    let mut event = json!({ "type": what, "occurred_at": time, "channel": "whatsapp" });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event["id"] = format!("{what}@{time}{more}").chars().take(150).collect::<String>().into();
    event
}

pub fn inbound(conversation: &str, time: &str) -> Value {
    event("message.inbound", time, json!({ "conversation_id": conversation }))
}

pub fn reply(conversation: &str, time: &str, agent: &str) -> Value {
    let more = json!({ "conversation_id": conversation, "author": "agent", "agent_id": agent, "team": "north" });
    event("message.outbound", time, more)
}

pub fn status(status: &str, message: &str, time: &str) -> Value {
    event(&format!("delivery.{status}"), time, json!({ "message_id": message }))
}
