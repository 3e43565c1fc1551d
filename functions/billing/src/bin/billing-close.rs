use std::process::ExitCode;

use billing::{Deps, close};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, close::handle)
}
