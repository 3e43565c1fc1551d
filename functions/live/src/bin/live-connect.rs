use std::process::ExitCode;

use live::connect;
use shared::boot;

fn main() -> ExitCode {
    boot::socket(connect::Deps::wire, connect::handle)
}
