use std::process::ExitCode;

use forecasts::{Deps, advice};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, advice::handle)
}
