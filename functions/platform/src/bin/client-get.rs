use std::process::ExitCode;

use platform::clients::get;
use shared::boot;

fn main() -> ExitCode {
    boot::http(get::Deps::wire, get::handle)
}
