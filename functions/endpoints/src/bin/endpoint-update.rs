use std::process::ExitCode;

use endpoints::update;
use shared::boot;

fn main() -> ExitCode {
    boot::http(update::Deps::wire, update::handle)
}
