use std::process::ExitCode;

use deliveries::retry;
use shared::boot;

fn main() -> ExitCode {
    boot::http(retry::Deps::wire, retry::handle)
}
