//! Supabase's projects: how they are set up, and the application that changes their rows.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    super::{
        World, held,
        supabase::{Changed, Project, ProjectState, RowChange, send},
    },
    Misunderstood, understood,
};

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/supabase/{project}", get(state).put(set).delete(forget))
        .route("/supabase/{project}/rows", post(change))
}

async fn set(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Misunderstood> {
    let project: Project = understood(&body)?;
    held(&world.vendors).supabase.set(&name, project).map_err(Misunderstood)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn state(State(world): State<Arc<World>>, Path(name): Path<String>) -> Result<Json<ProjectState>, Misunderstood> {
    let state = held(&world.vendors).supabase.state(&name);
    state.map(Json).ok_or_else(|| Misunderstood(format!("there is no project `{name}`")))
}

async fn forget(State(world): State<Arc<World>>, Path(name): Path<String>) -> StatusCode {
    held(&world.vendors).supabase.forget(&name);
    StatusCode::NO_CONTENT
}

/// One change or a transaction of several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Changes {
    Several(Vec<RowChange>),
    One(RowChange),
}

async fn change(
    State(world): State<Arc<World>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Vec<Changed>>, Misunderstood> {
    let changes = match understood(&body)? {
        Changes::Several(changes) => changes,
        Changes::One(change) => vec![change],
    };
    let (changed, posts) = held(&world.vendors).supabase.change(&name, changes, Timestamp::now());
    for post in posts {
        tokio::spawn(send(world.clone(), name.clone(), post));
    }
    changed.map(Json).map_err(Misunderstood)
}
