use std::process::ExitCode;

use platform::clients::list;
use shared::boot;

fn main() -> ExitCode {
    boot::http(list::Deps::wire, list::handle)
}
