use std::process::ExitCode;

use automation::{activate, shown::Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, activate::handle)
}
