use std::process::ExitCode;

use alerts::rehearse;
use shared::boot;

fn main() -> ExitCode {
    boot::http(rehearse::Deps::wire, rehearse::handle)
}
