//! Dead-letter queue of deliveries: what killed its worker again and again is marked, told and kept for a person.

use jiff::Timestamp;
use shared::{
    Result,
    delivery::{Job, State},
    key, notice,
    table::Table,
};

/// A person can start it again; until then nothing touches it.
pub async fn handle(table: &Table, job: Job) -> Result<()> {
    let Job::Deliver { tenant, delivery, attempts } = job else {
        // An endpoint is looked after again by the sweep.
        return Ok(());
    };
    let now = Timestamp::now();
    let buried = table
        .change(key::delivery(tenant, delivery))
        .set("state", State::Dead)
        .set("ended_at", now)
        .set("last", "its message failed its worker again and again")
        .remove("due_at")
        .index(None)
        .when("state", State::Pending)
        .when("attempts", attempts)
        .send()
        .await?;
    if let Some(row) = buried {
        let detail = format!("{} could not be worked on and waits for a person", row.event_type);
        notice::give(table, tenant, "delivery_dead", delivery.to_string(), detail, now).await?;
    }
    Ok(())
}
