use std::process::ExitCode;

use platform::clients::create;
use shared::boot;

fn main() -> ExitCode {
    boot::http(create::Deps::wire, create::handle)
}
