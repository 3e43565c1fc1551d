use std::process::ExitCode;

use endpoints::create;
use shared::boot;

fn main() -> ExitCode {
    boot::http(create::Deps::wire, create::handle)
}
