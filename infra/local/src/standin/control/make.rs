//! Make: what is special about its hooks, and what its API shows.

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    super::{
        World, held,
        make::Hook,
        make_api::{MakeAccount, MakeOrder, MakeRun},
    },
    Misunderstood, understood,
};

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/hooks", get(hooks).put(set_hook))
        .route("/make/{zone}/accounts", post(account))
        .route("/make/{zone}/{what}", put(set))
        .route("/make/{zone}/scenarios/{id}", delete(delete_scenario))
        .route("/make/{zone}/scenarios/{id}/runs", post(add_runs))
        .route("/make/{zone}/scenarios/{id}/dlqs", post(add_dlqs))
}

async fn hooks(State(world): State<Arc<World>>) -> Response {
    Json(json!({ "hooks": held(&world.vendors).make.list() })).into_response()
}

async fn set_hook(State(world): State<Arc<World>>, body: Bytes) -> Result<StatusCode, Misunderstood> {
    let hook: Hook = understood(&body)?;
    held(&world.vendors).make.set(hook);
    Ok(StatusCode::NO_CONTENT)
}

async fn account(
    State(world): State<Arc<World>>,
    Path(zone): Path<String>,
    body: Bytes,
) -> Result<Json<MakeAccount>, Misunderstood> {
    let order: MakeOrder = understood(&body)?;
    held(&world.vendors).make_api.account(&zone, &order).map(Json).map_err(Misunderstood)
}

async fn set(
    State(world): State<Arc<World>>,
    Path((zone, what)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Misunderstood> {
    let said: Value = understood(&body)?;
    held(&world.vendors).make_api.put(&zone, &what, said, Instant::now()).map(Json).map_err(Misunderstood)
}

async fn add_runs(
    State(world): State<Arc<World>>,
    Path((zone, id)): Path<(String, u64)>,
    body: Bytes,
) -> Result<StatusCode, Misunderstood> {
    let runs: Vec<MakeRun> = understood(&body)?;
    held(&world.vendors).make_api.add_runs(&zone, id, runs).map_err(Misunderstood)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_scenario(
    State(world): State<Arc<World>>,
    Path((zone, id)): Path<(String, u64)>,
) -> Result<StatusCode, Misunderstood> {
    held(&world.vendors).make_api.delete_scenario(&zone, id).map_err(Misunderstood)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_dlqs(
    State(world): State<Arc<World>>,
    Path((zone, id)): Path<(String, u64)>,
    body: Bytes,
) -> Result<StatusCode, Misunderstood> {
    let reasons: Vec<String> = understood(&body)?;
    held(&world.vendors).make_api.add_dlqs(&zone, id, &reasons).map_err(Misunderstood)?;
    Ok(StatusCode::NO_CONTENT)
}
