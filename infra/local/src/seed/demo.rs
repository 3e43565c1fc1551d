//! Demo data, put in the way that a tenant would: through the API.
//!
//! Every tenant gets an endpoint at the stand-in's Make.com, an automation that is switched on, a booking event that is
//! delivered, a month of Make.com usage, and a morning of conversations, folded into KPIs.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::{Addresses, Tenant};
use crate::error::{Context, Error, Result};

/// Fills every tenant, and notes in each what was made.
pub(super) async fn furnish(tenants: &mut [Tenant], addresses: &Addresses<'_>) -> Result<()> {
    for (at, tenant) in tenants.iter_mut().enumerate() {
        let mut made = tenant.seeded.clone();
        addresses.endpoint(tenant, at + 1, &mut made).await?;
        addresses.automation(tenant, at + 1, &mut made).await?;
        addresses.booking(tenant, &mut made).await?;
        addresses.usage(tenant, &made).await?;
        addresses.activity(tenant).await?;
        tenant.seeded = made;
    }
    addresses.fold().await
}

impl Addresses<'_> {
    async fn endpoint(&self, tenant: &Tenant, number: usize, made: &mut Map<String, Value>) -> Result<()> {
        let path = format!("/hook.eu1.make.com/bookings-{number}");
        let body = json!({ "name": "Bookings scenario", "url": format!("{}{path}", self.receiver) });
        let answer = self.post("/api/v1/endpoints", &tenant.user("owner")?.id_token, &body).await?;
        made.insert("endpoint_id".into(), answer["data"]["endpoint"]["id"].clone());
        made.insert("endpoint_signing_secret".into(), answer["data"]["signing_secret"].clone());
        made.insert("endpoint_hook_path".into(), path.into());
        Ok(())
    }

    async fn automation(&self, tenant: &Tenant, number: usize, made: &mut Map<String, Value>) -> Result<()> {
        let path = format!("/hook.eu1.make.com/leads-{number}");
        let body = json!({ "templateId": "lead-to-crm", "makeWebhookUrl": format!("{}{path}", self.receiver) });
        let answer = self.post("/api/v1/automation", &tenant.user("owner")?.id_token, &body).await?;
        let id = answer["data"]["automation"]["id"].as_str().unwrap_or_default();
        self.post(&format!("/api/v1/automation/{id}/activate"), &tenant.user("owner")?.id_token, &json!({})).await?;
        made.insert("automation_id".into(), id.into());
        for (name, field) in [("automation_webhook_url", "webhookUrl"), ("automation_webhook_secret", "webhookSecret")]
        {
            made.insert(name.into(), answer["data"][field].clone());
        }
        made.insert("automation_hook_path".into(), path.into());
        Ok(())
    }

    async fn booking(&self, tenant: &Tenant, made: &mut Map<String, Value>) -> Result<()> {
        let row = |status: &str| {
            json!({
                "id": "7d0f2c9e-8f0a-4c57-9a0e-6a2f3b1c4d5e", "booking_number": "BK-2026-0417", "status": status,
                "client_id": "c1", "provider_id": "p1", "total_price": 120.5, "updated_at": Timestamp::now(),
            })
        };
        let body = json!({
            "type": "UPDATE", "table": "bookings", "schema": "public",
            "record": row("confirmed"), "old_record": row("pending"),
        });
        let answer = self.post("/api/webhooks/booking-events", &tenant.api_key, &body).await?;
        made.insert("event_id".into(), answer["data"]["event_id"].clone());
        Ok(())
    }

    async fn usage(&self, tenant: &Tenant, made: &Map<String, Value>) -> Result<()> {
        let client = &made["clients"][0]["client_id"];
        let today = Zoned::now().with_time_zone(TimeZone::get(&tenant.time_zone).unwrap_or(TimeZone::UTC)).date();
        let rows: Vec<Value> = (0..30)
            .flat_map(|ago: i64| {
                let date = today.saturating_sub(ago.days()).to_string();
                let calls = 150 + (ago * 37) % 60;
                let mails = 40 + (ago * 13) % 25;
                [
                    json!({
                        "client_id": client, "scenario_name": "Lead Processing", "scenario_id": "12345", "date": date,
                        "operation_type": "call", "operations_count": calls, "operations_limit": 1000,
                        "cost_usd": format!("{}.{:02}", calls / 20, calls % 20 * 5), "success_count": calls - 5,
                        "error_count": 5, "status": "active",
                    }),
                    json!({
                        "scenario_name": "Weekly Newsletter", "scenario_id": "67890", "date": date,
                        "operation_type": "marketing", "operations_count": mails, "cost_usd": "0.40",
                        "success_count": mails, "error_count": 0, "status": "active",
                    }),
                ]
            })
            .collect();
        self.post("/api/make-operations/sync", &tenant.api_key, &json!({ "operations": rows })).await?;
        Ok(())
    }

    async fn activity(&self, tenant: &Tenant) -> Result<()> {
        let agent = subject(&tenant.user("agent")?.id_token)?;
        let now = Timestamp::now();
        let at = |minutes: i64| now - SignedDuration::from_mins(minutes);
        let mut events = Vec::new();
        for n in 0..12_i64 {
            let conversation = format!("conv-{n}");
            let mut push = |suffix: &str, kind: &str, minutes: i64, more: Value| {
                let mut event = json!({
                    "id": format!("{conversation}-{suffix}"), "type": kind, "occurred_at": at(minutes), "channel": "whatsapp",
                    "conversation_id": conversation, "customer_id": format!("customer-{n}"),
                });
                if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
                    event.extend(more);
                }
                events.push(event);
            };
            let mine = json!({ "agent_id": agent, "team": "front-desk" });
            let began = 20 + n * 7;
            push("open", "conversation.opened", began, mine.clone());
            push("in", "message.inbound", began, json!({ "message_id": format!("wamid.in{n}") }));
            let sent = json!({ "message_id": format!("wamid.out{n}"), "author": "agent", "agent_id": agent, "team": "front-desk" });
            push("out", "message.outbound", began - 2 - n % 5, sent);
            let message = json!({ "message_id": format!("wamid.out{n}"), "agent_id": agent, "team": "front-desk" });
            push("sent", "delivery.sent", began - 2 - n % 5, message.clone());
            push("read", if n % 6 == 5 { "delivery.failed" } else { "delivery.read" }, began - 3 - n % 5, message);
            if n % 3 == 0 {
                push("done", "conversation.resolved", 5, mine);
            }
        }
        for (n, priority) in ["high", "normal", "low"].iter().enumerate() {
            events.push(json!({
                "id": format!("ticket-{n}-open"), "type": "ticket.opened", "occurred_at": at(30), "channel": "whatsapp",
                "ticket_id": format!("T-{n}"), "priority": priority, "agent_id": agent, "team": "front-desk",
            }));
        }
        self.post("/api/v1/activity", &tenant.api_key, &json!({ "events": events })).await?;
        Ok(())
    }

    /// Folds what was put into KPIs, as the schedules do.
    async fn fold(&self) -> Result<()> {
        for kind in ["hourly", "daily", "weekly"] {
            let url = format!("{}/api/cron/aggregate-metrics?type={kind}", self.api);
            told(&url, reqwest::Client::new().get(&url).bearer_auth(self.cron_secret)).await?;
        }
        Ok(())
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.api);
        told(&url, reqwest::Client::new().post(&url).bearer_auth(token).json(body)).await
    }
}

async fn told(url: &str, request: reqwest::RequestBuilder) -> Result<Value> {
    let answer = request.send().await.context(format!("no answer from {url}"))?;
    let status = answer.status();
    let text = answer.text().await.context(format!("no answer from {url}"))?;
    if !status.is_success() {
        return Err(Error::new(format!("{url} answered {status}: {text}")));
    }
    serde_json::from_str(&text).context(format!("{url} did not answer JSON"))
}

/// The subject of a token that we have just been given.
fn subject(token: &str) -> Result<String> {
    let claims = token.split('.').nth(1).and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
    claims
        .and_then(|claims| serde_json::from_slice::<Value>(&claims).ok())
        .and_then(|claims| claims["sub"].as_str().map(str::to_owned))
        .ok_or_else(|| Error::new("a token without a subject"))
}
