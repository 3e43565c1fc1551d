use std::process::ExitCode;

use make_operations::scenarios::map;
use shared::boot;

fn main() -> ExitCode {
    boot::http(map::Deps::wire, map::handle)
}
