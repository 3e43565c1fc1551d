use std::process::ExitCode;

use alerts::rules::{Deps, put};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, put::handle)
}
