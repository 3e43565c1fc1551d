use std::process::ExitCode;

use live::message;
use shared::boot;

fn main() -> ExitCode {
    boot::socket(message::Deps::wire, message::handle)
}
