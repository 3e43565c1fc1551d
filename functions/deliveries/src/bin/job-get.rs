use std::process::ExitCode;

use deliveries::jobs::get;
use shared::boot;

fn main() -> ExitCode {
    boot::http(get::Deps::wire, get::handle)
}
