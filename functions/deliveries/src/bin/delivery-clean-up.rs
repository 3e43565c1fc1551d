use std::process::ExitCode;

use deliveries::clean_up;
use shared::boot;

fn main() -> ExitCode {
    boot::http(clean_up::Deps::wire, clean_up::handle)
}
