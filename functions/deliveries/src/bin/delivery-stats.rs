use std::process::ExitCode;

use deliveries::stats;
use shared::boot;

fn main() -> ExitCode {
    boot::http(stats::Deps::wire, stats::handle)
}
