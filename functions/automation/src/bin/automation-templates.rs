use std::process::ExitCode;

use automation::templates;
use shared::boot::{self, Aws};

fn main() -> ExitCode {
    boot::http(Aws::gate, templates::handle)
}
