use std::process::ExitCode;

use make_operations::metrics;
use shared::boot;

fn main() -> ExitCode {
    boot::http(metrics::Deps::wire, metrics::handle)
}
