use std::process::ExitCode;

use deliveries::jobs::cancel;
use shared::boot;

fn main() -> ExitCode {
    boot::http(cancel::Deps::wire, cancel::handle)
}
