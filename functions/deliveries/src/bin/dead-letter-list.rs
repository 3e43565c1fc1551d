use std::process::ExitCode;

use deliveries::dead_letters;
use shared::boot;

fn main() -> ExitCode {
    boot::http(dead_letters::Deps::wire, dead_letters::handle)
}
