use std::process::ExitCode;

use platform::describe;
use shared::boot;

fn main() -> ExitCode {
    boot::http(|_| Ok(()), describe::handle)
}
