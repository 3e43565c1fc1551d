use std::process::ExitCode;

use make_operations::scenarios::get;
use shared::boot;

fn main() -> ExitCode {
    boot::http(get::Deps::wire, get::handle)
}
