//! What a delivery allocates: `delivery-send` itself, with an allocator that counts. After each message it says what the
//! process has allocated so far, on standard output.

use std::{alloc::System, process::ExitCode};

use deliveries::send::{self, Deps};
use shared::{Result, boot, delivery::Job};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    boot::queue(Deps::wire, counted)
}

async fn counted(deps: &Deps, job: Job) -> Result<()> {
    let done = send::handle(deps, job).await;
    let so_far = COUNTED.stats();
    println!(
        "allocated {} {} {} {}",
        so_far.allocations, so_far.reallocations, so_far.bytes_allocated, so_far.bytes_deallocated
    );
    done
}
