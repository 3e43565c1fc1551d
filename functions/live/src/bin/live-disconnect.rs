use std::process::ExitCode;

use live::disconnect;
use shared::boot::{self, Aws};

fn main() -> ExitCode {
    boot::socket(Aws::table, disconnect::handle)
}
