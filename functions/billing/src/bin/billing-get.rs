use std::process::ExitCode;

use billing::{Deps, get};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, get::handle)
}
