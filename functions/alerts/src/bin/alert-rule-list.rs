use std::process::ExitCode;

use alerts::rules::{Deps, list};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, list::handle)
}
