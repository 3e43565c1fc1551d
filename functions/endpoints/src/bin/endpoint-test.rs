use std::process::ExitCode;

use endpoints::test;
use shared::boot;

fn main() -> ExitCode {
    boot::http(test::Deps::wire, test::handle)
}
