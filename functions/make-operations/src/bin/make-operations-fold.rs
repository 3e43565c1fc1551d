use std::process::ExitCode;

use make_operations::refold;
use shared::boot::{self, Aws};

fn main() -> ExitCode {
    boot::event(Aws::table, refold::handle)
}
