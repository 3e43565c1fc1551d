use std::process::ExitCode;

use shared::boot;
use traces::get;

fn main() -> ExitCode {
    boot::http(get::Deps::wire, get::handle)
}
