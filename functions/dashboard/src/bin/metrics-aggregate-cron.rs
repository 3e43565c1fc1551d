use std::process::ExitCode;

use dashboard::cron::{self, Deps};
use shared::boot;

fn main() -> ExitCode {
    boot::http(|aws| Ok(Deps { vault: aws.vault()?, table: aws.table()? }), cron::handle)
}
