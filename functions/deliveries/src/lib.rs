//! The delivery engine: from an accepted event to its outcome. `shared::delivery` tells its story.

pub mod bury;
pub mod cancel;
pub mod clean_up;
pub mod dead_letters;
pub mod discard;
pub mod get;
pub mod health;
pub mod jobs;
pub mod list;
pub mod notices;
pub mod pages;
pub mod post;
pub mod replay;
pub mod retry;
pub mod route;
pub mod send;
pub mod stats;
pub mod sweep;
pub mod turn;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    cancel::handle,
    clean_up::handle,
    dead_letters::handle,
    discard::handle,
    get::handle,
    jobs::cancel::handle,
    jobs::get::handle,
    jobs::list::handle,
    list::handle,
    notices::handle,
    replay::handle,
    retry::handle,
    stats::handle,
))]
pub struct Api;

/// Whether a text can be a person's reason.
fn is_reason(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= 500
}
