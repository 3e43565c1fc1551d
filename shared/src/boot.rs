//! Cold start, once: settings, clients, and one entry for each kind of trigger.
//!
//! The only file that reads the environment, builds a client or starts the runtime, which is why the `main` of
//! every function is one line of wiring. Errors are logged here and nowhere else.

use std::{cell::OnceCell, future::Future, panic::AssertUnwindSafe, process::ExitCode, sync::Arc, time::Duration};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_lambda_events::{
    dynamodb::{Event as StreamEvent, EventRecord},
    sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage},
};
use futures::{FutureExt, StreamExt, stream};
use lambda_http::{Body, Response};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use tracing::Instrument;

use crate::{
    egress::Egress,
    error::{Error, Result},
    gate::Gate,
    http::{Call, Reply, answer},
    jwt::Issuer,
    mail::Mail,
    queue::Queue,
    secrets::Vault,
    socket::{Handed, PATIENCE, Said, Sockets},
    table::{Item, Row, Table, row},
};

mod settings;

/// A setting that this function needs and does not have.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct Missing(&'static str);

/// What a function may be wired with. Only what is asked for is built, and primed before the first event.
pub struct Aws {
    sdk: SdkConfig,
    table: OnceCell<Table>,
    vault: OnceCell<Vault>,
    issuer: OnceCell<Arc<Issuer>>,
    sockets: OnceCell<Sockets>,
}

impl Aws {
    fn read() -> Self {
        Self {
            sdk: settings::sdk(),
            table: OnceCell::new(),
            vault: OnceCell::new(),
            issuer: OnceCell::new(),
            sockets: OnceCell::new(),
        }
    }

    /// The table, named by `TABLE_NAME`.
    pub fn table(&self) -> Result<Table, Missing> {
        let name = required("TABLE_NAME")?;
        Ok(self.table.get_or_init(|| Table::new(aws_sdk_dynamodb::Client::new(&self.sdk), name)).clone())
    }

    /// Who may call, checked against the table.
    pub fn gate(&self) -> Result<Gate, Missing> {
        Ok(Gate::new(self.table()?))
    }

    /// The platform's secrets, kept in the secret named by `PLATFORM_SECRET_ID`.
    pub fn vault(&self) -> Result<Vault, Missing> {
        let id = required("PLATFORM_SECRET_ID")?;
        Ok(self.vault.get_or_init(|| Vault::new(aws_sdk_secretsmanager::Client::new(&self.sdk), id)).clone())
    }

    /// The queue whose address stands in that variable.
    pub fn queue(&self, variable: &'static str) -> Result<Queue, Missing> {
        Ok(Queue::new(aws_sdk_sqs::Client::new(&self.sdk), required(variable)?))
    }

    /// The connections of the WebSocket API, managed at `LIVE_ENDPOINT`.
    pub fn sockets(&self) -> Result<Sockets, Missing> {
        let endpoint = required("LIVE_ENDPOINT")?;
        let time = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).operation_timeout(PATIENCE).build();
        let build = || {
            let settings = aws_sdk_apigatewaymanagement::config::Builder::from(&self.sdk);
            let settings = settings.endpoint_url(endpoint).timeout_config(time).build();
            Sockets::new(aws_sdk_apigatewaymanagement::Client::from_conf(settings))
        };
        Ok(self.sockets.get_or_init(build).clone())
    }

    /// Who makes people's tokens, where API Gateway does not check them: `OIDC_ISSUER`, for `OIDC_AUDIENCE`, with its keys
    /// at `OIDC_KEYS` or where it says itself.
    pub fn issuer(&self) -> Result<Arc<Issuer>, Missing> {
        let (issuer, audience) = (required("OIDC_ISSUER")?, required("OIDC_AUDIENCE")?);
        Ok(self.issuer.get_or_init(|| Arc::new(Issuer::new(&issuer, &audience, &setting("OIDC_KEYS")))).clone())
    }

    /// The way out to addresses that tenants and vendors give.
    pub fn egress(&self) -> Result<Egress, Missing> {
        Ok(Egress::new(&setting("EGRESS_ALLOW"), &setting("VENDOR_ORIGIN")))
    }

    /// The way out by e-mail, from the address in `MAIL_FROM`; none where that is empty.
    pub fn mail(&self) -> Mail {
        Mail::new(&self.sdk, setting("MAIL_FROM"))
    }

    /// Whether there is one.
    pub fn sends_mail(&self) -> bool {
        !setting("MAIL_FROM").is_empty()
    }

    /// A setting that may be empty.
    pub fn setting(&self, variable: &'static str) -> String {
        setting(variable)
    }

    async fn prime(&self) {
        if let Some(table) = self.table.get() {
            table.prime().await;
        }
        if let Some(vault) = self.vault.get() {
            vault.prime().await;
        }
        if let Some(issuer) = self.issuer.get() {
            issuer.prime().await;
        }
        if let Some(sockets) = self.sockets.get() {
            sockets.prime().await;
        }
    }
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn required(name: &'static str) -> Result<String, Missing> {
    Some(setting(name)).filter(|value| !value.is_empty()).ok_or(Missing(name))
}

/// Serves one HTTP route.
pub fn http<D, F, Fut>(wire: fn(&Aws) -> Result<D, Missing>, handle: F) -> ExitCode
where
    D: Sync + 'static,
    F: Fn(&'static D, Call) -> Fut + Sync,
    Fut: Future<Output = Result<Reply>> + Send,
{
    start(wire, async |deps| {
        let handle = &handle;
        lambda_http::run(service_fn(move |request| async move {
            Ok::<_, lambda_runtime::Error>(serve(deps, handle, Call::from(request)).await)
        }))
        .await
    })
}

/// One call through a handler, as [`http`] makes it: what leaves has every header and no cause.
pub async fn serve<D, F, Fut>(deps: &'static D, handle: &F, call: Call) -> Response<Body>
where
    F: Fn(&'static D, Call) -> Fut,
    Fut: Future<Output = Result<Reply>> + Send,
{
    let trace = call.trace;
    let span = tracing::info_span!("call", trace_id = %trace, method = %call.method, path = %call.path);
    let standing = call.standing();
    let outcome = AssertUnwindSafe(handle(deps, call)).catch_unwind().instrument(span.clone()).await;
    let outcome = outcome.unwrap_or_else(|panic| Err(Error::internal("a handler panicked", told(&*panic))));
    let _entered = span.enter();
    answer(trace, standing.get(), outcome)
}

/// Works on the messages of a queue, each on its own: only those that failed come back.
pub fn queue<D, M, F, Fut>(wire: fn(&Aws) -> Result<D, Missing>, handle: F) -> ExitCode
where
    D: Sync + 'static,
    M: DeserializeOwned,
    F: Fn(&'static D, M) -> Fut + Sync,
    Fut: Future<Output = Result<()>> + Send,
{
    start(wire, async |deps| {
        let handle = &handle;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| async move {
            Ok::<_, lambda_runtime::Error>(batch(deps, handle, event.payload).await)
        }))
        .await
    })
}

/// One batch of messages, as [`queue`] works on it.
pub async fn batch<D, M, F, Fut>(deps: &'static D, handle: &F, event: SqsEvent) -> SqsBatchResponse
where
    M: DeserializeOwned,
    F: Fn(&'static D, M) -> Fut,
    Fut: Future<Output = Result<()>> + Send,
{
    let failed: Vec<Option<BatchItemFailure>> = stream::iter(event.records)
        .map(|message| async move {
            let id = message.message_id.clone().unwrap_or_default();
            let outcome = AssertUnwindSafe(async { handle(deps, read(&message)?).await })
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| Err(Error::internal("a worker panicked", told(&*panic))));
            let error = outcome.err()?;
            crate::metrics::count("MessagesFailed", 1);
            // Our messages name rows, nothing of what is in them.
            let job = message.body.as_deref().unwrap_or_default();
            let tries = message.attributes.get("ApproximateReceiveCount").map_or("?", String::as_str);
            if error.is_transient() {
                tracing::warn!(message.id = id, message.tries = tries, message.body = job, error = ?error, "message will be tried again: {error}");
            } else {
                tracing::error!(message.id = id, message.tries = tries, message.body = job, error = ?error, "message failed: {error}");
            }
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            Some(failure)
        })
        .buffer_unordered(50)
        .collect()
        .await;
    let mut answer = SqsBatchResponse::default();
    answer.batch_item_failures = failed.into_iter().flatten().collect();
    answer
}

fn read<M: DeserializeOwned>(message: &SqsMessage) -> Result<M> {
    serde_json::from_str(message.body.as_deref().unwrap_or_default())
        .map_err(|cause| Error::internal("a message cannot be read", cause))
}

/// One change of the table, from its stream.
pub struct Changed {
    /// What kind of row.
    pub kind: String,
    /// The row as it was.
    pub old: Option<Item>,
    /// The row as it is.
    pub new: Option<Item>,
}

impl Changed {
    /// The making of a row: for tests.
    #[cfg(feature = "testing")]
    pub fn making<E: Row>(row: &E) -> Self {
        Self { kind: E::KIND.into(), old: None, new: crate::table::item(row).ok() }
    }

    /// The row as it was made, if this is the making of an `E`.
    pub fn made<E: Row>(self) -> Result<Option<E>> {
        match (self.old, self.new) {
            (None, Some(new)) if self.kind == E::KIND => row(new).map(Some),
            _ => Ok(None),
        }
    }
}

/// Works on the table's stream, in its order. A record that can never work is given up, logged and counted. One that
/// may work later fails the batch: the stream brings all of it again, so every step has to bear being repeated.
pub fn changes<D, F, Fut>(wire: fn(&Aws) -> Result<D, Missing>, handle: F) -> ExitCode
where
    D: Sync + 'static,
    F: Fn(&'static D, Changed) -> Fut + Sync,
    Fut: Future<Output = Result<()>> + Send,
{
    start(wire, async |deps| {
        let handle = &handle;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<StreamEvent>| {
            let span = tracing::info_span!("stream", request_id = event.context.request_id);
            let done = async move { records(deps, handle, event.payload).await.map_err(lambda_runtime::Error::from) };
            done.instrument(span)
        }))
        .await
    })
}

/// One batch of the stream, as [`changes`] works on it.
pub async fn records<D, F, Fut>(deps: &'static D, handle: &F, event: StreamEvent) -> Result<()>
where
    F: Fn(&'static D, Changed) -> Fut,
    Fut: Future<Output = Result<()>> + Send,
{
    for record in event.records {
        let row = named(&record);
        let outcome = AssertUnwindSafe(async { handle(deps, changed(record)?).await })
            .catch_unwind()
            .instrument(tracing::info_span!("record", record.row = row))
            .await
            .unwrap_or_else(|panic| Err(Error::internal("a worker panicked", told(&*panic))));
        match outcome {
            Ok(()) => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(record.row = row, error = ?error, "the stream waits: {error}");
                return Err(error);
            }
            Err(error) => {
                tracing::error!(record.row = row, error = ?error, "a record was given up: {error}");
                crate::metrics::count("RecordsGivenUp", 1);
            }
        }
    }
    Ok(())
}

/// Works on the table's stream, a batch at a time: for work that is cheaper together. A batch that can never work is worked
/// on record by record, as [`changes`] does; so every step has to bear being repeated here, too.
pub fn changes_together<D, F, Fut>(wire: fn(&Aws) -> Result<D, Missing>, handle: F) -> ExitCode
where
    D: Sync + 'static,
    F: Fn(&'static D, Vec<Changed>) -> Fut + Sync,
    Fut: Future<Output = Result<()>> + Send,
{
    start(wire, async |deps| {
        let handle = &handle;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<StreamEvent>| {
            let span = tracing::info_span!("stream", request_id = event.context.request_id);
            let done = async move { together(deps, handle, event.payload).await.map_err(lambda_runtime::Error::from) };
            done.instrument(span)
        }))
        .await
    })
}

/// One batch of the stream, as [`changes_together`] works on it.
pub async fn together<D, F, Fut>(deps: &'static D, handle: &F, event: StreamEvent) -> Result<()>
where
    F: Fn(&'static D, Vec<Changed>) -> Fut,
    Fut: Future<Output = Result<()>> + Send,
{
    let all = event.records.iter().cloned().map(changed).collect::<Result<Vec<_>>>();
    // A row's key names its tenant and itself; the rows of a batch follow on its first one.
    let (first, rows) = (event.records.first().map(named).unwrap_or_default(), event.records.len());
    let outcome = AssertUnwindSafe(async { handle(deps, all?).await })
        .catch_unwind()
        .instrument(tracing::info_span!("batch", record.first = first, record.rows = rows))
        .await
        .unwrap_or_else(|panic| Err(Error::internal("a worker panicked", told(&*panic))));
    match outcome {
        Ok(()) => Ok(()),
        Err(error) if error.is_transient() => {
            tracing::warn!(record.first = first, record.rows = rows, error = ?error, "the stream waits: {error}");
            Err(error)
        }
        Err(_) => records(deps, &|deps, changed| handle(deps, vec![changed]), event).await,
    }
}

/// The key of the row that a record is about: whoever reads the log finds it by that.
fn named(record: &EventRecord) -> String {
    let keys = Item::from(record.change.keys.clone());
    let text = |name: &str| keys.get(name).and_then(|value| value.as_s().ok().cloned()).unwrap_or_default();
    format!("{} / {}", text("pk"), text("sk"))
}

fn changed(record: EventRecord) -> Result<Changed> {
    let image = |item: serde_dynamo::Item| (!item.is_empty()).then(|| Item::from(item));
    let old = image(record.change.old_image);
    let new = image(record.change.new_image);
    let kind = new.as_ref().or(old.as_ref()).and_then(|item| item.get("kind")?.as_s().ok().cloned());
    Ok(Changed { kind: kind.unwrap_or_default(), old, new })
}

/// What a schedule says: nothing but that it is time.
#[derive(serde::Deserialize)]
pub struct Tick {}

/// Works on one event at a time, from a schedule or from whoever may invoke the function.
pub fn event<D, I, O, F, Fut>(wire: fn(&Aws) -> Result<D, Missing>, handle: F) -> ExitCode
where
    D: Sync + 'static,
    I: DeserializeOwned,
    O: Serialize,
    F: Fn(&'static D, I) -> Fut + Sync,
    Fut: Future<Output = Result<O>> + Send,
{
    start(wire, async |deps| {
        let handle = &handle;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<I>| async move {
            let span = tracing::info_span!("event", request_id = event.context.request_id);
            handle(deps, event.payload).instrument(span).await.map_err(|error| {
                tracing::error!(error = ?error, "event failed: {error}");
                match &error {
                    Error::Invalid(faults) => lambda_runtime::Error::from(
                        faults
                            .iter()
                            .map(|fault| format!("{}: {}", fault.pointer, fault.detail))
                            .collect::<Vec<_>>()
                            .join("; "),
                    ),
                    error => lambda_runtime::Error::from(error.public().into_owned()),
                }
            })
        }))
        .await
    })
}

/// Serves a route of the WebSocket API. A connection comes about only where the opening of it succeeds.
pub fn socket<D, F, Fut>(wire: fn(&Aws) -> Result<D, Missing>, handle: F) -> ExitCode
where
    D: Sync + 'static,
    F: Fn(&'static D, Said) -> Fut + Sync,
    Fut: Future<Output = Result<()>> + Send,
{
    start(wire, async |deps| {
        let handle = &handle;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Handed>| async move {
            let status = hear(deps, handle, event.payload, &event.context.request_id).await;
            Ok::<_, lambda_runtime::Error>(serde_json::json!({ "statusCode": status }))
        }))
        .await
    })
}

/// What a connection said, through a handler, as [`socket`] works on it.
async fn hear<D, F, Fut>(deps: &'static D, handle: &F, handed: Handed, request_id: &str) -> u16
where
    F: Fn(&'static D, Said) -> Fut,
    Fut: Future<Output = Result<()>> + Send,
{
    let (connection, route, tenant) = handed.names();
    let span = tracing::info_span!("socket", request_id, connection, route, tenant.id = tenant);
    let outcome = AssertUnwindSafe(async { handle(deps, handed.said()?).await })
        .catch_unwind()
        .instrument(span.clone())
        .await
        .unwrap_or_else(|panic| Err(Error::internal("a handler panicked", told(&*panic))));
    let _entered = span.enter();
    status(outcome)
}

/// What API Gateway is answered. Its own count of errors is of callers' faults, too; ours is of what failed here.
fn status(outcome: Result<()>) -> u16 {
    let Err(error) = outcome else { return 200 };
    let (status, word, _) = error.answer();
    if status.is_server_error() {
        crate::metrics::count("LiveFailures", 1);
        tracing::error!(error = ?error, "a connection failed: {error}");
    } else {
        tracing::info!(word, "a connection was refused: {error}");
    }
    status.as_u16()
}

/// How long a cold start waits for its connections.
const PRIMED_WITHIN: Duration = Duration::from_secs(5);

fn told(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without words".into())
}

fn start<D: Sync + 'static>(
    wire: fn(&Aws) -> Result<D, Missing>,
    serve: impl AsyncFnOnce(&'static D) -> std::result::Result<(), lambda_runtime::Error>,
) -> ExitCode {
    settings::log();
    crate::metrics::begin();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime.inspect_err(|error| tracing::error!(%error, "no runtime")) else {
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        let aws = Aws::read();
        let deps: &'static D = match wire(&aws) {
            Ok(deps) => Box::leak(Box::new(deps)),
            Err(error) => {
                tracing::error!(%error, "cannot start");
                return ExitCode::FAILURE;
            }
        };
        // The init phase ends after ten seconds, primed or not.
        if tokio::time::timeout(PRIMED_WITHIN, aws.prime()).await.is_err() {
            tracing::warn!("starting unprimed");
        }
        match serve(deps).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "the runtime stopped");
                ExitCode::FAILURE
            }
        }
    })
}

#[cfg(test)]
mod tests;
