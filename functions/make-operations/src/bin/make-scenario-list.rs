use std::process::ExitCode;

use make_operations::scenarios::list;
use shared::boot;

fn main() -> ExitCode {
    boot::http(list::Deps::wire, list::handle)
}
