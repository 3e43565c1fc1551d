use std::process::ExitCode;

use make_operations::pull::show;
use shared::boot;

fn main() -> ExitCode {
    boot::http(show::Deps::wire, show::handle)
}
