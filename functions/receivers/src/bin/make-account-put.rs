use std::process::ExitCode;

use receivers::account::give;
use shared::boot;

fn main() -> ExitCode {
    boot::http(give::Deps::wire, give::handle)
}
