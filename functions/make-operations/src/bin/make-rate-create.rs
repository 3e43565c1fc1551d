use std::process::ExitCode;

use make_operations::rates::{Deps, create};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, create::handle)
}
