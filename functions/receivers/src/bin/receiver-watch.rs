use std::process::ExitCode;

use receivers::watch;
use shared::boot;

fn main() -> ExitCode {
    boot::event(watch::Deps::wire, watch::handle)
}
