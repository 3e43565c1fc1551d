use std::process::ExitCode;

use make_operations::sync;
use shared::boot;

fn main() -> ExitCode {
    boot::http(sync::Deps::wire, sync::handle)
}
