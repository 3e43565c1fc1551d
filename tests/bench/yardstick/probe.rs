//! What `shared::boot` costs: as its argument says, a function that answers nothing, or one that times an AWS call.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use serde::Serialize;
use shared::{
    Result, boot,
    delivery::Job,
    http::{Call, Reply},
    id::{EndpointId, TenantId},
    key::{self, Key},
    queue::Queue,
    table::Table,
    tenant::Tenant,
};

/// How long the call took, as the code that waits for it sees it.
#[derive(Serialize)]
struct Took {
    us: u128,
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("empty") => boot::http(|_| Ok(()), nothing),
        // The table is primed before the first event, a queue is not.
        Some("table") => boot::event(boot::Aws::table, read),
        Some("queue") => boot::event(|aws| aws.queue("DELIVERY_QUEUE_URL"), send),
        _ => ExitCode::FAILURE,
    }
}

async fn nothing(_: &(), _: Call) -> Result<Reply> {
    Ok(Reply::ok(()))
}

async fn read(table: &Table, _: serde::de::IgnoredAny) -> Result<Took> {
    let nobody: Key<Tenant> = key::tenant(TenantId::from_bytes([0; 16]));
    let began = Instant::now();
    table.find(nobody).await?;
    Ok(Took { us: began.elapsed().as_micros() })
}

async fn send(queue: &Queue, _: serde::de::IgnoredAny) -> Result<Took> {
    let job = Job::Check { tenant: TenantId::from_bytes([0; 16]), endpoint: EndpointId::from_bytes([0; 16]) };
    let began = Instant::now();
    queue.send(&job, Duration::ZERO).await?;
    Ok(Took { us: began.elapsed().as_micros() })
}
