use std::process::ExitCode;

use live::follow;
use shared::boot;

fn main() -> ExitCode {
    boot::changes_together(follow::Deps::wire, follow::handle)
}
