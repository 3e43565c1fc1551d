use std::process::ExitCode;

use alerts::rules::{Deps, delete};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, delete::handle)
}
