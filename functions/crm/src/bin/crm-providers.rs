use std::process::ExitCode;

use crm::providers;
use shared::boot;

fn main() -> ExitCode {
    boot::http(providers::Deps::wire, providers::handle)
}
