//! The control interface under `/_control/`. Bodies are JSON, whatever their content type says.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Query, State},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    World,
    call::LARGEST_BODY,
    faults::FaultOrder,
    held,
    oauth::{Ledger, OauthOrder},
    path::PathPattern,
    record::{Found, Wanted},
};

mod make;
mod supabase;

const LONGEST_WAIT_MS: u64 = 60_000;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/", description())
        .route("/faults", get(list_faults).post(order_faults).delete(clear_faults))
        .route("/requests", get(requests).delete(forget))
        .route("/oauth/{vendor}", get(grants).post(order_oauth))
        .route("/reset", post(reset))
        .merge(make::routes())
        .merge(supabase::routes())
        .fallback(no_such_control)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

/// What there is to control, for machines and for the curious.
pub(super) fn description() -> MethodRouter<Arc<World>> {
    get(async || {
        Json(json!({
            "name": "crossdock stand-in",
            "plays": {
                "make": ["/hook.{zone}.make.com/{udid}", "/{zone}.make.com/api/v2/users/me/current-authorization"],
                "supabase": "/supabase/{project}/rest/v1/{table}",
                "zoho": ["/accounts.zoho.{region}/oauth/v2/auth", "/www.zohoapis.{region}/crm/v8/org"],
                "salesforce": ["/login.salesforce.com/services/oauth2/authorize", "/{my-domain}.my.salesforce.com/services/oauth2/userinfo"],
                "hubspot": ["/app.hubspot.com/oauth/authorize", "/api.hubapi.com/oauth/2026-03/token"],
                "dynamics": ["/login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize", "/{org}.crm4.dynamics.com/api/data/v9.2/WhoAmI"],
            },
            "control": {
                "GET /_control/faults": "what is standing and waiting",
                "POST /_control/faults": { "path": "exact, or a prefix and *", "next": ["fault"], "rate": { "share": 0.3, "answer": "fault" }, "mode": "up | down | closed | slow | failing | queue_full | too_many_requests | fault" },
                "DELETE /_control/faults": "?path=, else all",
                "fault": { "status": 500, "body": "text or JSON", "headers": {}, "retry_after": "5", "delay_ms": 0, "down": true, "queue_full": true, "too_many_requests": true, "closed": true, "times": 1 },
                "GET /_control/requests": "?path=&since=&at_least=&timeout_ms=",
                "DELETE /_control/requests": "?path=, else all",
                "GET /_control/hooks": "what was set",
                "PUT /_control/hooks": { "path": "/hook.eu1.make.com/{udid}", "api_keys": [], "limit": { "requests": 300, "per_ms": 10_000 } },
                "POST /_control/make/{zone}/accounts": { "udid": "a hook's", "token": "uuid", "scopes": [], "api_limit": 60, "queue_limit": 667 },
                "PUT /_control/make/{zone}/{what}": { "what": "tokens | organizations | teams | scenarios | hooks", "id": 1, "isActive": false },
                "DELETE /_control/make/{zone}/scenarios/{id}": "deletes it with its log",
                "POST /_control/make/{zone}/scenarios/{id}/runs": [{ "timestamp": "2026-11-20T04:35:44.497Z", "status": 1, "operations": 10, "centicredits": 1_000 }],
                "POST /_control/make/{zone}/scenarios/{id}/dlqs": ["a reason"],
                "GET /_control/supabase/{project}": "its rows in numbers, and what became of its webhooks",
                "PUT /_control/supabase/{project}": { "api_keys": [], "max_rows": 1_000, "webhooks": [{ "url": "http://…", "headers": {}, "tables": [], "events": [], "timeout_ms": 5_000, "delay_ms": 0 }], "loss": "none | all | { next: 3 } | { share: { share: 0.3, seed: 7 } }", "tables": { "bookings": { "id": "uuid | text | bigint | numeric | boolean | timestamptz | jsonb" } }, "row_security": { "bookings": ["b1"] } },
                "DELETE /_control/supabase/{project}": "forgets it",
                "POST /_control/supabase/{project}/rows": { "table": "bookings", "operation": "insert | update | delete", "record": { "id": "b1" } },
                "GET /_control/oauth/{vendor}": "what was handed out, in numbers",
                "POST /_control/oauth/{vendor}": { "next_consent": {}, "expire_access_tokens": true, "revoke_refresh_tokens": true, "user": "only theirs", "redirect_uris": [], "apps": {} },
                "POST /_control/reset": "forgets faults, requests, Make, Supabase and waiting consents",
            },
        }))
    })
}

// ── faults ───────────────────────────────────────────────────────────────────

async fn list_faults(State(world): State<Arc<World>>) -> Response {
    Json(json!({ "faults": held(&world.faults).list() })).into_response()
}

async fn order_faults(State(world): State<Arc<World>>, body: Bytes) -> Result<StatusCode, Misunderstood> {
    let order: FaultOrder = understood(&body)?;
    held(&world.faults).order(order).map_err(Misunderstood)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Where {
    path: Option<String>,
}

async fn clear_faults(State(world): State<Arc<World>>, Query(at): Query<Where>) -> StatusCode {
    let path = at.path.as_deref().map(PathPattern::new);
    held(&world.faults).clear(path.as_ref());
    StatusCode::NO_CONTENT
}

// ── the record ───────────────────────────────────────────────────────────────

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    path: Option<String>,
    since: Option<String>,
    at_least: Option<usize>,
    timeout_ms: Option<u64>,
}

/// The record of a path, and whether there is as much as was waited for.
#[derive(Serialize, Deserialize)]
pub(super) struct Told {
    #[serde(flatten)]
    pub(super) found: Found,
    pub(super) enough: bool,
}

async fn requests(State(world): State<Arc<World>>, Query(asked): Query<Asked>) -> Result<Json<Told>, Misunderstood> {
    let mut wanted = Wanted { path: PathPattern::new(asked.path.as_deref().unwrap_or("*")), after: 0, since: None };
    if let Some(since) = &asked.since {
        match (since.parse::<u64>(), since.parse::<Timestamp>()) {
            (Ok(seq), _) => wanted.after = seq,
            (_, Ok(time)) => wanted.since = Some(time),
            _ => {
                return Err(Misunderstood("`since` is neither a number nor a time".into()));
            }
        }
    }
    let at_least = asked.at_least.unwrap_or(0);
    let longest = asked.timeout_ms.unwrap_or(5_000).min(LONGEST_WAIT_MS);
    let found = world.log.wait(&wanted, at_least, Duration::from_millis(longest)).await;
    Ok(Json(Told { enough: found.requests.len() >= at_least, found }))
}

async fn forget(State(world): State<Arc<World>>, Query(at): Query<Where>) -> StatusCode {
    world.log.forget(&PathPattern::new(at.path.as_deref().unwrap_or("*")));
    StatusCode::NO_CONTENT
}

// ── the authorization servers ────────────────────────────────────────────────

async fn grants(State(world): State<Arc<World>>, Path(vendor): Path<String>) -> Result<Json<Value>, Misunderstood> {
    at_ledger(&world, &vendor, OauthOrder::default())
}

async fn order_oauth(
    State(world): State<Arc<World>>,
    Path(vendor): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Misunderstood> {
    at_ledger(&world, &vendor, understood(&body)?)
}

fn at_ledger(world: &World, vendor: &str, order: OauthOrder) -> Result<Json<Value>, Misunderstood> {
    fn done<S>(ledger: &mut Ledger<S>, order: OauthOrder) -> Json<Value> {
        let now = Instant::now();
        ledger.order(order, now);
        Json(ledger.summary(now))
    }

    let mut vendors = held(&world.vendors);
    match vendor {
        "zoho" => Ok(done(&mut vendors.zoho.ledger, order)),
        "salesforce" => Ok(done(&mut vendors.salesforce.ledger, order)),
        "hubspot" => Ok(done(&mut vendors.hubspot.ledger, order)),
        "dynamics" => Ok(done(&mut vendors.dynamics.ledger, order)),
        _ => Err(Misunderstood("the vendors are zoho, salesforce, hubspot and dynamics".into())),
    }
}

async fn reset(State(world): State<Arc<World>>) -> StatusCode {
    held(&world.faults).clear(None);
    world.log.forget(&PathPattern::new("*"));
    let mut vendors = held(&world.vendors);
    vendors.make = Default::default();
    vendors.make_api = Default::default();
    vendors.supabase = Default::default();
    vendors.zoho.ledger.reset();
    vendors.salesforce.ledger.reset();
    vendors.hubspot.ledger.reset();
    vendors.dynamics.ledger.reset();
    StatusCode::NO_CONTENT
}

async fn no_such_control() -> (StatusCode, Json<Value>) {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "GET /_control/ lists what there is" })))
}

// ── orders that make no sense ────────────────────────────────────────────────

struct Misunderstood(String);

impl IntoResponse for Misunderstood {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": self.0 }))).into_response()
    }
}

fn understood<T: DeserializeOwned>(body: &[u8]) -> Result<T, Misunderstood> {
    serde_json::from_slice(body).map_err(|error| Misunderstood(error.to_string()))
}
