use std::process::ExitCode;

use automation::rotate_secret;
use shared::boot;

fn main() -> ExitCode {
    boot::http(rotate_secret::Deps::wire, rotate_secret::handle)
}
