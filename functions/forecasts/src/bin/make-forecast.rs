use std::process::ExitCode;

use forecasts::{Deps, forecast};
use shared::boot;

fn main() -> ExitCode {
    boot::http(Deps::wire, forecast::handle)
}
