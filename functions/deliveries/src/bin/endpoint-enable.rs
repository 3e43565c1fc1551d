use std::process::ExitCode;

use deliveries::endpoint::enable;
use shared::boot;

fn main() -> ExitCode {
    boot::http(enable::Deps::wire, enable::handle)
}
