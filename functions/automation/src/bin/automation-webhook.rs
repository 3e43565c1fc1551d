use std::process::ExitCode;

use automation::webhook;
use shared::boot;

fn main() -> ExitCode {
    boot::http(webhook::Deps::wire, webhook::handle)
}
