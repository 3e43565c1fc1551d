use std::process::ExitCode;

use bookings::health::{self, Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, health::handle)
}
