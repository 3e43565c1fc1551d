use std::process::ExitCode;

use deliveries::discard;
use shared::boot;

fn main() -> ExitCode {
    boot::http(discard::Deps::wire, discard::handle)
}
