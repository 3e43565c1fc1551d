use std::process::ExitCode;

use live::sweep;
use shared::boot;

fn main() -> ExitCode {
    boot::event(sweep::Deps::wire, sweep::handle)
}
