use std::process::ExitCode;

use endpoints::validate;
use shared::boot;

fn main() -> ExitCode {
    boot::http(validate::Deps::wire, validate::handle)
}
