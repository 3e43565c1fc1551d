use std::process::ExitCode;

use billing::{Deps, list};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, list::handle)
}
