use std::process::ExitCode;

use live::follow;
use shared::boot;

fn main() -> ExitCode {
    boot::changes(follow::Deps::wire, follow::handle)
}
