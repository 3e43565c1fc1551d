//! `GET /api/v1/users/{id}/booking-events`: what happened to a user, numbered.

use shared::{
    Result,
    cursor::Paging,
    http::{Call, Reply},
    live::Channel,
};

pub use crate::history::Deps;
use crate::history::{History, Part, page};

/// What happened to the bookings of a user.
///
/// The same numbers and events that live clients get: newest first, or with `since` the numbers above it in their order.
/// An agent sees its own.
#[utoipa::path(
    get,
    path = "/api/v1/users/{id}/booking-events",
    operation_id = "user_booking_history",
    tag = "live",
    params(("id" = String, Path, description = "The user"), Part, Paging),
    responses((status = 200, description = "A page of events", body = History))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    page(deps, &call, Channel::User, "user").await
}
