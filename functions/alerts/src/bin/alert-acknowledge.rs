use std::process::ExitCode;

use alerts::alerts::{Deps, act};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, act::acknowledge)
}
