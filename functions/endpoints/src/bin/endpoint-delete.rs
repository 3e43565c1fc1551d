use std::process::ExitCode;

use endpoints::delete;
use shared::boot;

fn main() -> ExitCode {
    boot::http(delete::Deps::wire, delete::handle)
}
