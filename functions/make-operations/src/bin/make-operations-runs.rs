use std::process::ExitCode;

use make_operations::runs;
use shared::boot;

fn main() -> ExitCode {
    boot::http(runs::Deps::wire, runs::handle)
}
