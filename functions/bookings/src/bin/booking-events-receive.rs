use std::process::ExitCode;

use bookings::receive::{self, Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, receive::handle)
}
