use std::process::ExitCode;

use completeness::delete_source::{self, Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, delete_source::handle)
}
