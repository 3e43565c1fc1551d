use std::process::ExitCode;

use endpoints::disable;
use shared::boot;

fn main() -> ExitCode {
    boot::http(disable::Deps::wire, disable::handle)
}
