use std::process::ExitCode;

use completeness::reconcile::{self, Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::event(Deps::wire, reconcile::handle)
}
