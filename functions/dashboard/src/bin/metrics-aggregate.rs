use std::process::ExitCode;

use dashboard::aggregate;
use shared::boot::{self, Aws};

fn main() -> ExitCode {
    boot::event(Aws::table, aggregate::handle)
}
