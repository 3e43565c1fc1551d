use std::process::ExitCode;

use endpoints::enable;
use shared::boot;

fn main() -> ExitCode {
    boot::http(enable::Deps::wire, enable::handle)
}
