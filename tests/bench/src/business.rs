//! A tenant with an API key and endpoints, and the events that a day brings.

use std::sync::atomic::{AtomicU64, Ordering};

use endpoints::create;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::{
    delivery::Delivery,
    endpoint::Endpoint,
    event::{self, Content, Event},
    gate::{Gate, Role},
    id::TenantId,
    key,
    testing::{api_key, person, told},
    trace::TraceId,
};

use crate::{Result, cloud::Cloud};

/// So many rows are written at the same time.
const AT_ONCE: usize = 8;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A tenant.
pub struct Business {
    /// Its id.
    pub tenant: TenantId,
    key: SecretString,
    endpoints: Vec<Endpoint>,
}

impl Business {
    /// A new one with so many endpoints (at most 20), all of which are at that receiver and think for so long.
    pub async fn open(cloud: &Cloud, receiver: &str, endpoints: usize, thinks_ms: u64) -> Result<Self> {
        let tenant = TenantId::new();
        let deps = create::Deps {
            gate: Gate::new(cloud.table.clone()),
            table: cloud.table.clone(),
            vault: cloud.vault.clone(),
            egress: cloud.egress.clone(),
            mails: false,
        };
        let mut made_endpoints = Vec::new();
        for n in 0..endpoints {
            let url = format!("{receiver}/after/{thinks_ms}");
            let call = person(tenant, Role::Owner).posting(&json!({ "name": format!("Make {n}"), "url": url }));
            let (status, made) = told(create::handle(&deps, call).await);
            let id = made["data"]["endpoint"]["id"].as_str().ok_or_else(|| format!("no endpoint: {status} {made}"))?;
            made_endpoints.push(cloud.table.get(key::endpoint(tenant, id.parse()?)).await?);
        }
        let key = api_key(&cloud.table, tenant).await;
        Ok(Self { tenant, key, endpoints: made_endpoints })
    }

    /// So many accepted events on their way, spread over the endpoints: the messages of the queue.
    pub async fn deliveries(&self, cloud: &Cloud, count: usize) -> Result<Vec<Value>> {
        stream::iter(0..count)
            .map(|n| async move {
                let endpoint = &self.endpoints[n % self.endpoints.len()];
                let mut event = self.event();
                event.to = Some(endpoint.id);
                event::accept(&cloud.table, event.clone()).await?;
                let delivery = Delivery::of(&event, endpoint);
                cloud.table.create(&delivery).await?;
                Ok(serde_json::to_value(delivery.job())?)
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// An event that nobody has stored yet.
    pub fn event(&self) -> Event {
        let (name, record) = booking();
        Event {
            tenant: self.tenant,
            id: event::identity(self.tenant, &[name.as_bytes()]),
            event_type: "booking.updated".into(),
            trace: TraceId::new(),
            accepted_at: Timestamp::now(),
            occurred_at: None,
            to: None,
            origin: event::Origin::Live,
            content: Content::Booking {
                operation: shared::booking::Operation::Update,
                table: "bookings".into(),
                record: Some(record.to_string()),
                old_record: None,
            },
        }
    }

    /// The change of another booking, as API Gateway hands Supabase's webhook to a function.
    pub fn webhook(&self) -> Vec<u8> {
        let (_, record) = booking();
        let body =
            json!({ "type": "UPDATE", "table": "bookings", "schema": "public", "record": record, "old_record": null });
        let bearer = format!("Bearer {}", self.key.expose_secret());
        call("POST", "/api/webhooks/booking-events", "", &bearer, &body.to_string())
    }
}

/// One API Gateway event (payload 2.0).
pub fn call(method: &str, path: &str, query: &str, authorization: &str, body: &str) -> Vec<u8> {
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "accept": "*/*",
            "accept-encoding": "gzip, br",
            "authorization": authorization,
            "content-length": body.len().to_string(),
            "content-type": "application/json",
            "host": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
            "user-agent": "pg_net/0.14.0",
            "x-amzn-trace-id": "Root=1-692050a1-3f1c7a1e5d1f4b0e9a2b6c7d",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "a1b2c3d4e5",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "pg_net/0.14.0" },
            "requestId": "UQ1cEhFbDoEEPeQ=",
            "routeKey": format!("{method} {path}"),
            "stage": "$default",
            "time": "21/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1_795_255_200_000_u64,
        },
        "body": body,
        "isBase64Encoded": false,
    })
    .to_string()
    .into_bytes()
}

/// Messages as SQS hands a batch of them to a function.
pub fn batch(messages: &[Value]) -> Vec<u8> {
    let record = |(n, message): (usize, &Value)| {
        json!({
            "messageId": format!("059f36b4-87a3-44ab-83d2-{n:012}"),
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": message.to_string(),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1795255200000",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1795255200001",
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:deliveries",
            "awsRegion": "eu-west-1",
        })
    };
    let records: Vec<Value> = messages.iter().enumerate().map(record).collect();
    json!({ "Records": records }).to_string().into_bytes()
}

/// A booking that is like no other, of about a kilobyte.
fn booking() -> (String, Value) {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("B-2026-{number:06}");
    let record = json!({
        "id": format!("7d0f1c1a-52d7-4a57-9c3f-{number:012}"),
        "booking_number": name,
        "client_id": "5f1d7a60-3a1e-4b6e-9d1c-2f8f0a4f6c11",
        "provider_id": "c0a8f7d2-8d7e-4a55-b9b2-0d9b4c1e7f42",
        "service_id": "a6a3a1de-7cf4-4a0b-8f53-6b7d2a9c3e10",
        "status": "confirmed",
        "scheduled_at": "2026-11-24T14:30:00+00:00",
        "duration_minutes": 90,
        "total_price": 149.9,
        "currency": "EUR",
        "notes": "Second visit; the gate code has changed, please call ahead. The boiler is in the cellar, behind the bicycles. \
                  The last part that was fitted is under warranty until March: its papers are with the caretaker, first floor \
                  left, who is in on weekdays from nine to one. Payment by invoice, to the office in town and not to the house.",
        "address": { "street": "Rua da Estrela 14", "postal_code": "1200-669", "city": "Lisboa", "country": "PT" },
        "source": "web",
        "created_at": "2026-11-20T09:12:44.118243+00:00",
        "updated_at": format!("2026-11-21T10:00:00.{:06}+00:00", number % 1_000_000),
    });
    (name, record)
}
