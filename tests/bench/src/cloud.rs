//! AWS as the functions see it: a real table in this process, a queue and a secret that only answer, and a receiver of
//! deliveries, all behind TLS.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{Json, Router, extract, http::HeaderMap, response::IntoResponse, routing::post};
use serde_json::{Value, json};
use shared::{egress::Egress, secrets::Vault, table::Table, testing::table_served};
use tokio::net::TcpListener;

use crate::{Result, tls::Authority};

/// When the receiver took something.
type Received = Arc<Mutex<Vec<Instant>>>;

/// All of it.
pub struct Cloud {
    /// The table, for this process.
    pub table: Table,
    /// The platform's secrets, for this process.
    pub vault: Vault,
    /// The way out that may reach the receiver.
    pub egress: Egress,
    /// Where the receiver is.
    pub receiver: String,
    /// The same without TLS, for this process, which does not know our authority.
    pub plain_receiver: String,
    received: Received,
    environment: Vec<(String, String)>,
}

impl Cloud {
    /// Starts it; `place` is for files.
    pub async fn start(place: &Path) -> Result<Self> {
        let bundle = place.join("roots.pem");
        let authority = Authority::new(&bundle)?;
        let (table, dynamodb) = table_served().await;
        let dynamodb = authority.front(dynamodb).await?;
        let others = authority.front(serve(Router::new().fallback(answer)).await?).await?;
        let received = Received::default();
        let counted = received.clone();
        let hooks = Router::new().route("/after/{ms}", post(move |ms, body| take(counted.clone(), ms, body)));
        let hooks = serve(hooks).await?;
        let plain_receiver = format!("http://{hooks}");
        let receiver = authority.front(hooks).await?;

        let bundle = bundle.display().to_string();
        let variables = [
            ("AWS_ACCESS_KEY_ID", "bench"),
            ("AWS_ENDPOINT_URL_DYNAMODB", &dynamodb),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &others),
            ("AWS_ENDPOINT_URL_SQS", &others),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
            ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_SECRET_ACCESS_KEY", "bench"),
            ("DELIVERY_QUEUE_URL", "http://localhost/000000000000/deliveries"),
            ("EGRESS_ALLOW", &receiver),
            ("NODE_EXTRA_CA_CERTS", &bundle),
            ("PLATFORM_SECRET_ID", "platform"),
            ("SSL_CERT_FILE", &bundle),
            ("STAGE", "dev"),
            ("TABLE_NAME", "crossdock"),
        ];
        Ok(Self {
            table,
            vault: Vault::given(serde_json::from_value(secrets())?),
            egress: Egress::new(&format!("{receiver},{plain_receiver}"), ""),
            received,
            environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            receiver,
            plain_receiver,
        })
    }

    /// What a function finds in its environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.environment.clone()
    }

    /// When the receiver took something, since this was asked the last time.
    pub fn received(&self) -> Vec<Instant> {
        std::mem::take(&mut *self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn serve(router: Router) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// The queue and the secret.
async fn answer(headers: HeaderMap) -> Json<Value> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    Json(match target {
        "secretsmanager.GetSecretValue" => json!({ "Name": "platform", "SecretString": secrets().to_string() }),
        _ => json!({ "MessageId": "00000000-0000-0000-0000-000000000000" }),
    })
}

fn secrets() -> Value {
    json!({ "keyring": { "current": "first" }, "first_key": "a key of this benchmark, and of nothing else", "oauth": {} })
}

/// The receiver: a Make.com webhook that thinks for so long.
async fn take(received: Received, extract::Path(ms): extract::Path<u64>, _: axum::body::Bytes) -> impl IntoResponse {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    received.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    "Accepted"
}
