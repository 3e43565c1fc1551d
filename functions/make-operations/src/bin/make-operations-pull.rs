use std::process::ExitCode;

use make_operations::pull;
use shared::boot;

fn main() -> ExitCode {
    boot::event(pull::Deps::wire, pull::handle)
}
