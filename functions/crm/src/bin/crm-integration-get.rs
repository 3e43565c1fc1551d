use std::process::ExitCode;

use crm::show;
use shared::boot;

fn main() -> ExitCode {
    boot::http(show::Deps::wire, show::handle)
}
