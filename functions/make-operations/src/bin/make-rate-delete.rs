use std::process::ExitCode;

use make_operations::rates::{Deps, delete};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, delete::handle)
}
