use std::process::ExitCode;

use crm::disconnect;
use shared::boot;

fn main() -> ExitCode {
    boot::http(disconnect::Deps::wire, disconnect::handle)
}
