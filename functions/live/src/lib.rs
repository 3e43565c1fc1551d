//! Live channels: the numbered history of bookings, and the sockets that follow it.

use std::time::Duration;

pub mod authorize;
pub mod booking_history;
pub mod connect;
pub mod disconnect;
pub mod follow;
mod history;
mod leave;
pub mod message;
pub mod numbers;
mod ping;
pub mod provider_booking_history;
pub mod pump;
mod replays;
mod rights;
mod send;
mod shown;
mod subscribe;
pub mod sweep;
mod told;
mod unsubscribe;
pub mod user_booking_history;

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(booking_history::handle, user_booking_history::handle, provider_booking_history::handle))]
pub struct Api;

/// Waits a moment, longer with each attempt, so that those who met do not meet again.
async fn pause(attempt: u32) {
    let most = 10 * u64::from(attempt.min(9) + 1);
    tokio::time::sleep(Duration::from_millis(rand::random_range(1..=most))).await;
}
