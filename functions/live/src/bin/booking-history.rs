use std::process::ExitCode;

use live::booking_history;
use shared::boot;

fn main() -> ExitCode {
    boot::http(booking_history::Deps::wire, booking_history::handle)
}
