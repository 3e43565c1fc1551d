use std::process::ExitCode;

use automation::{deactivate, shown::Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, deactivate::handle)
}
