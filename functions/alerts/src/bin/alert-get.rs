use std::process::ExitCode;

use alerts::alerts::{Deps, get};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, get::handle)
}
