use std::process::ExitCode;

use deliveries::endpoint::list;
use shared::boot;

fn main() -> ExitCode {
    boot::http(list::Deps::wire, list::handle)
}
