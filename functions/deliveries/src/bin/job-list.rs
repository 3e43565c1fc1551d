use std::process::ExitCode;

use deliveries::jobs::list;
use shared::boot;

fn main() -> ExitCode {
    boot::http(list::Deps::wire, list::handle)
}
