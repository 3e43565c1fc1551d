use std::process::ExitCode;

use live::provider_booking_history;
use shared::boot;

fn main() -> ExitCode {
    boot::http(provider_booking_history::Deps::wire, provider_booking_history::handle)
}
