use std::process::ExitCode;

use deliveries::route;
use shared::boot;

fn main() -> ExitCode {
    boot::changes(route::Deps::wire, route::handle)
}
