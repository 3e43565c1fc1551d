use std::process::ExitCode;

use completeness::show::{self, Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, show::handle)
}
