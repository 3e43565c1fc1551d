use std::process::ExitCode;

use shared::boot;
use traces::doctor;

fn main() -> ExitCode {
    boot::http(doctor::Deps::wire, doctor::handle)
}
