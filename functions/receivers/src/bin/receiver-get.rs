use std::process::ExitCode;

use receivers::get;
use shared::boot;

fn main() -> ExitCode {
    boot::http(get::Deps::wire, get::handle)
}
