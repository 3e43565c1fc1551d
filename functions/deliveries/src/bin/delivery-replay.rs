use std::process::ExitCode;

use deliveries::replay;
use shared::boot;

fn main() -> ExitCode {
    boot::http(replay::Deps::wire, replay::handle)
}
