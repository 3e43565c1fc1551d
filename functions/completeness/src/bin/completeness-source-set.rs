use std::process::ExitCode;

use completeness::set_source::{self, Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, set_source::handle)
}
