use std::process::ExitCode;

use endpoints::get;
use shared::boot;

fn main() -> ExitCode {
    boot::http(get::Deps::wire, get::handle)
}
