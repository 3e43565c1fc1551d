use std::process::ExitCode;

use receivers::account::take_back;
use shared::boot;

fn main() -> ExitCode {
    boot::http(take_back::Deps::wire, take_back::handle)
}
