use std::process::ExitCode;

use make_operations::pull::ask;
use shared::boot;

fn main() -> ExitCode {
    boot::http(ask::Deps::wire, ask::handle)
}
