use std::process::ExitCode;

use alerts::alerts::list;
use shared::boot;

fn main() -> ExitCode {
    boot::http(list::Deps::wire, list::handle)
}
