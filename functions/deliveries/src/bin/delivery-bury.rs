use std::process::ExitCode;

use deliveries::bury;
use shared::boot::{self, Aws};

fn main() -> ExitCode {
    boot::queue(Aws::table, bury::handle)
}
