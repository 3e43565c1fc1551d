use std::process::ExitCode;

use live::authorize;
use shared::boot::{self, Aws};

fn main() -> ExitCode {
    boot::event(Aws::issuer, authorize::handle)
}
