use std::process::ExitCode;

use shared::boot;
use traces::outcome;

fn main() -> ExitCode {
    boot::http(outcome::Deps::wire, outcome::handle)
}
