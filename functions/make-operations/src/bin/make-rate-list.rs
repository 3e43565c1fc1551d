use std::process::ExitCode;

use make_operations::rates::{Deps, list};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, list::handle)
}
