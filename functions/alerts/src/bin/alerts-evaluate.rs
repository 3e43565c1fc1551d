use std::process::ExitCode;

use alerts::evaluate;
use shared::boot::{self, Aws};

fn main() -> ExitCode {
    boot::event(Aws::table, evaluate::handle)
}
