use std::process::ExitCode;

use dashboard::kpi::{self, Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(|aws| Ok(Deps::new(aws.table()?)), kpi::handle)
}
