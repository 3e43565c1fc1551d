use std::process::ExitCode;

use endpoints::list;
use shared::boot;

fn main() -> ExitCode {
    boot::http(list::Deps::wire, list::handle)
}
