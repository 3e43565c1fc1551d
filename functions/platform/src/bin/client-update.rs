use std::process::ExitCode;

use platform::clients::update;
use shared::boot;

fn main() -> ExitCode {
    boot::http(update::Deps::wire, update::handle)
}
