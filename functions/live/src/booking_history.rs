//! `GET /api/v1/bookings/{id}/events`: what happened to a booking, numbered.

use shared::{
    Result,
    cursor::Paging,
    http::{Call, Reply},
    live::Channel,
};

pub use crate::history::Deps;
use crate::history::{History, Part, page};

/// What happened to a booking.
///
/// The same numbers and events that live clients get: newest first, or with `since` the numbers above it in their order.
/// For whoever may see the booking: an agent sees those that it is the client, user or provider of.
#[utoipa::path(
    get,
    path = "/api/v1/bookings/{id}/events",
    operation_id = "booking_history",
    tag = "live",
    params(("id" = String, Path, description = "The booking"), Part, Paging),
    responses((status = 200, description = "A page of events", body = History))
)]
pub async fn handle(deps: &Deps, call: Call) -> Result<Reply> {
    page(deps, &call, Channel::Booking, "booking").await
}
