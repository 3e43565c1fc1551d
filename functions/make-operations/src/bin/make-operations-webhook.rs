use std::process::ExitCode;

use make_operations::webhook;
use shared::boot;

fn main() -> ExitCode {
    boot::http(webhook::Deps::wire, webhook::handle)
}
