use std::process::ExitCode;

use forecasts::{Deps, allowance};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, allowance::handle)
}
