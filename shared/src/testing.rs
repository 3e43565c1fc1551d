//! For tests: a table of one's own, and callers as values.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider},
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType,
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    apikey::{ApiKey, Scope},
    error::Result,
    gate::Role,
    http::{Call, Reply},
    id::TenantId,
    mail::Mail,
    secrets::{Platform, Vault},
    socket::{Handed, Said},
    table::{Meter, Table},
};

/// A table of this test alone, in this process, with the schema of `infra/storage.yaml`.
pub async fn table() -> Table {
    table_served().await.0
}

/// The same, and where other processes reach it.
pub async fn table_served() -> (Table, std::net::SocketAddr) {
    let database = dynoxide::Database::memory().expect("a database in memory");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .build();
    let client = Client::from_conf(config);
    let attribute = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .expect("an attribute")
    };
    let key = |name: &str, kind: KeyType| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("a key")
    };
    client
        .create_table()
        .table_name("crossdock")
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(["pk", "sk", "gsi1pk", "gsi1sk"].map(attribute).into()))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .global_secondary_indexes(
            GlobalSecondaryIndex::builder()
                .index_name("gsi1")
                .key_schema(key("gsi1pk", KeyType::Hash))
                .key_schema(key("gsi1sk", KeyType::Range))
                .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
                .build()
                .expect("an index"),
        )
        .send()
        .await
        .expect("the table is made");
    (Table::new(client, "crossdock"), address)
}

/// Sums of consumed capacity, writes and reads apart.
#[derive(Clone, Default)]
pub struct Units(Arc<std::sync::Mutex<(f64, f64)>>);

impl Units {
    /// To be given to [`Table::metered`].
    pub fn meter(&self) -> Meter {
        let sums = self.0.clone();
        Arc::new(move |operation, used| {
            let units = used.capacity_units().unwrap_or_default();
            let mut sums = sums.lock().expect("no test panics while counting");
            match operation {
                "GetItem" | "BatchGetItem" | "Query" => sums.1 += units,
                _ => sums.0 += units,
            }
        })
    }

    /// (write units, read units) since the last time.
    pub fn take(&self) -> (f64, f64) {
        std::mem::take(&mut *self.0.lock().expect("no test panics while counting"))
    }
}

/// The sender of a test's e-mail.
pub const MAIL_FROM: &str = "alerts@crossdock.example";

/// The way out by e-mail, through what plays SES at that address.
pub fn mail(ses: &str) -> Mail {
    let sdk = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .endpoint_url(ses)
        .build();
    Mail::new(&sdk, MAIL_FROM.into())
}

/// The platform's secrets of a test: one key, and an app with each CRM as the stand-in knows it.
pub fn vault() -> Vault {
    let app = |vendor: &str| {
        serde_json::json!({
            "client_id": format!("crossdock-{vendor}"),
            "client_secret": format!("standin-secret-{vendor}"),
        })
    };
    let platform: Platform = serde_json::from_value(serde_json::json!({
        "keyring": { "current": "k1", "keys": { "k1": data_encoding::BASE64.encode(&[7; 32]) } },
        "oauth": {
            "zoho": app("zoho"), "salesforce": app("salesforce"), "hubspot": app("hubspot"), "dynamics": app("dynamics"),
        },
        "cron_secret": "cron-secret-of-a-test",
    }))
    .expect("the form of the platform's secrets");
    Vault::given(platform)
}

/// A person of a tenant, with a token that API Gateway has checked.
pub fn person(tenant: TenantId, role: Role) -> Call {
    person_with(tenant, role, &[])
}

/// The same with further claims: `sub`, `team`, `client`.
pub fn person_with(tenant: TenantId, role: Role, claims: &[(&str, &str)]) -> Call {
    let role = serde_json::to_value(role).expect("a role is a word");
    let mut all = HashMap::from([
        ("sub".to_owned(), format!("user-{}", role.as_str().unwrap_or_default())),
        ("custom:tenant".to_owned(), tenant.to_string()),
        ("custom:role".to_owned(), role.as_str().unwrap_or_default().to_owned()),
    ]);
    for (name, value) in claims {
        let name = if *name == "sub" { (*name).to_owned() } else { format!("custom:{name}") };
        all.insert(name, (*value).to_owned());
    }
    Call::by_hand(all, HeaderMap::new())
}

/// What somebody says on a connection now, or that it opens or ends.
pub fn said(tenant: TenantId, role: Role, subject: &str, connection: &str, message: &Value) -> Said {
    let handed = serde_json::json!({
        "requestContext": {
            "connectionId": connection,
            "authorizer": { "tenant": tenant, "role": role, "sub": subject },
        },
        "body": message.to_string(),
    });
    let handed: Handed = serde_json::from_value(handed).expect("what API Gateway hands over");
    handed.said().expect("somebody")
}

/// A person of another tenant.
pub fn stranger() -> Call {
    person(TenantId::new(), Role::Owner)
}

/// Nobody in particular.
pub fn nobody() -> Call {
    Call::by_hand(HashMap::new(), HeaderMap::new())
}

/// An API key with every scope, stored.
pub async fn api_key(table: &Table, tenant: TenantId) -> SecretString {
    let (row, shown) = ApiKey::issue(tenant, "test".into(), Scope::ALL.into(), jiff::Timestamp::now(), None);
    table.put(&row).await.expect("the key is stored");
    shown
}

/// A machine with that key.
pub fn machine(key: &SecretString) -> Call {
    nobody().with_header("authorization", &format!("Bearer {}", key.expose_secret()))
}

impl Call {
    /// With a header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers_mut().insert(
            HeaderName::from_bytes(name.as_bytes()).expect("a header name"),
            HeaderValue::from_str(value).expect("a header value"),
        );
        self
    }

    /// With a part of the path.
    pub fn with_part(mut self, name: &str, value: impl ToString) -> Self {
        self.set_part(name, value.to_string());
        self
    }

    /// With a query string.
    pub fn with_query(mut self, query: &str) -> Self {
        self.set_query(query);
        self
    }

    /// As a POST of this JSON.
    pub fn posting(self, body: &Value) -> Self {
        self.posting_bytes(body.to_string())
    }

    /// As a POST of these bytes.
    pub fn posting_bytes(mut self, body: impl Into<bytes::Bytes>) -> Self {
        self.method = Method::POST;
        self.set_body(body.into());
        self
    }

    /// At another time.
    pub fn at(mut self, now: jiff::Timestamp) -> Self {
        self.now = now;
        self
    }
}

/// The answer as it would leave: status and body.
pub fn told(outcome: Result<Reply>) -> (u16, Value) {
    let reply = outcome.unwrap_or_else(|error| Reply::from(&error));
    (reply.status.as_u16(), reply.json())
}
