use std::process::ExitCode;

use platform::tenant;
use shared::boot::{self, Aws};

fn main() -> ExitCode {
    boot::event(Aws::table, tenant::handle)
}
