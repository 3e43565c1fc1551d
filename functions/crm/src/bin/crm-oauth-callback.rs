use std::process::ExitCode;

use crm::callback;
use shared::boot;

fn main() -> ExitCode {
    boot::http(callback::Deps::wire, callback::handle)
}
