use std::process::ExitCode;

use deliveries::cancel;
use shared::boot;

fn main() -> ExitCode {
    boot::http(cancel::Deps::wire, cancel::handle)
}
