use std::process::ExitCode;

use dashboard::ingest::{self, Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(|aws| Ok(Deps::new(aws.table()?)), ingest::handle)
}
