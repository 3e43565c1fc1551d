use std::process::ExitCode;

use crm::begin;
use shared::boot;

fn main() -> ExitCode {
    boot::http(begin::Deps::wire, begin::handle)
}
