use std::process::ExitCode;

use receivers::account::show;
use shared::boot;

fn main() -> ExitCode {
    boot::http(show::Deps::wire, show::handle)
}
