use std::process::ExitCode;

use live::user_booking_history;
use shared::boot;

fn main() -> ExitCode {
    boot::http(user_booking_history::Deps::wire, user_booking_history::handle)
}
