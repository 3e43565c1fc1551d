use std::process::ExitCode;

use endpoints::rotate_secret;
use shared::boot;

fn main() -> ExitCode {
    boot::http(rotate_secret::Deps::wire, rotate_secret::handle)
}
