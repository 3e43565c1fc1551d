use std::process::ExitCode;

use deliveries::notices;
use shared::boot;

fn main() -> ExitCode {
    boot::http(notices::Deps::wire, notices::handle)
}
