use std::process::ExitCode;

use automation::create;
use shared::boot;

fn main() -> ExitCode {
    boot::http(create::Deps::wire, create::handle)
}
