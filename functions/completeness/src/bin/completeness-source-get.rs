use std::process::ExitCode;

use completeness::show_source::{self, Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, show_source::handle)
}
