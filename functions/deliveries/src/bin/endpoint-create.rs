use std::process::ExitCode;

use deliveries::endpoint::create;
use shared::boot;

fn main() -> ExitCode {
    boot::http(create::Deps::wire, create::handle)
}
