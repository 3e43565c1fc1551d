//! What the log says of what fails, and what API Gateway is answered.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
};

use lambda_runtime::tracing::subscriber;
use serde_json::{Value, json};
use tracing::subscriber::set_default;

use super::*;
use crate::id::TenantId;

/// What is logged, as Lambda is given it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn kept() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let guard = set_default(subscriber::fmt().json().with_writer(move || writer.clone()).finish());
        (log, guard)
    }

    fn lines(&self) -> Vec<Value> {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

#[test]
fn a_connection_comes_about_only_where_its_opening_succeeds() {
    assert_eq!(status(Ok(())), 200);
    assert_eq!(status(Err(Error::TooMany { retry_after: 60 })), 429);
    assert_eq!(status(Err(Error::Forbidden("no"))), 403);
    assert_eq!(status(Err(Error::unavailable("table", "down"))), 503);
}

#[tokio::test]
async fn every_line_about_a_connection_names_it_its_route_and_its_tenant() {
    let tenant = TenantId::new();
    let handed = || {
        let context = json!({
            "connectionId": "c1", "routeKey": "$default", "authorizer": { "sub": "u1", "tenant": tenant, "role": "agent" },
        });
        serde_json::from_value(json!({ "requestContext": context, "body": "{}" })).expect("what API Gateway hands over")
    };
    let (log, _guard) = Log::kept();

    let fails = async |(): &'static (), _| {
        tracing::info!("on the way");
        Err(Error::unavailable("table", "down"))
    };
    assert_eq!(hear(&(), &fails, handed(), "request-1").await, 503);
    let panics = async |(): &'static (), said: Said| panic!("of {}", said.connection);
    assert_eq!(hear(&(), &panics, handed(), "request-2").await, 500);

    let lines = log.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for line in &lines {
        let told = |name: &str| line["span"][name].as_str().unwrap_or_default().to_owned();
        assert_eq!((told("connection"), told("route")), ("c1".into(), "$default".into()), "{line}");
        assert_eq!(told("tenant.id"), tenant.to_string());
    }
    assert_eq!(lines[2]["span"]["request_id"], "request-2");
}

#[tokio::test]
async fn every_line_about_the_stream_names_the_row() {
    let record = |id: &str| {
        json!({
            "eventID": id, "eventName": "INSERT", "awsRegion": "eu-central-1",
            "dynamodb": {
                "Keys": { "pk": { "S": format!("ten_1#EVENT#{id}") }, "sk": { "S": "EVENT" } },
                "NewImage": { "kind": { "S": "event" } }, "SizeBytes": 8,
            },
        })
    };
    let event: StreamEvent = serde_json::from_value(json!({ "Records": [record("evt_1"), record("evt_2")] }))
        .expect("what Lambda hands over");
    let (log, _guard) = Log::kept();

    let waits = async |(): &'static (), _| {
        tracing::info!("on the way");
        Err(Error::unavailable("table", "down"))
    };
    assert!(together(&(), &waits, event.clone()).await.is_err());
    let never = async |(): &'static (), _| {
        tracing::info!("on the way");
        Err(Error::internal("broken", "for good"))
    };
    assert!(together(&(), &never, event).await.is_ok());

    let lines = log.lines();
    assert_eq!(lines[0]["span"]["record.first"], "ten_1#EVENT#evt_1 / EVENT", "{lines:?}");
    assert_eq!(
        (&lines[1]["fields"]["record.first"], &lines[1]["fields"]["record.rows"]),
        (&lines[0]["span"]["record.first"], &json!(2))
    );
    let singly: Vec<_> = lines[3..]
        .iter()
        .map(|line| line["span"]["record.row"].as_str().or(line["fields"]["record.row"].as_str()))
        .collect();
    let (first, second) = (Some("ten_1#EVENT#evt_1 / EVENT"), Some("ten_1#EVENT#evt_2 / EVENT"));
    assert_eq!(singly, [first, first, second, second], "{lines:?}");
}
