use std::process::ExitCode;

use deliveries::jobs::work;
use shared::boot;

fn main() -> ExitCode {
    boot::queue(work::Deps::wire, work::handle)
}
