use std::process::ExitCode;

use deliveries::send;
use shared::boot;

fn main() -> ExitCode {
    boot::queue(send::Deps::wire, send::handle)
}
