use std::process::ExitCode;

use billing::{Deps, correct};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, correct::handle)
}
