//! Dead-letter queue of deliveries: what killed its worker again and again is marked, told and kept for a person.

use jiff::Timestamp;
use serde_json::Value;
use shared::{
    Result,
    delivery::{Delivery, Job, State},
    id::{DeliveryId, TenantId},
    key, notice,
    table::Table,
};

/// A person can start it again; until then nothing touches it.
pub async fn handle(table: &Table, message: Value) -> Result<()> {
    match serde_json::from_value(message.clone()) {
        Ok(Job::Deliver { tenant, delivery, attempts }) => bury(table, tenant, delivery, attempts).await,
        // An endpoint is looked after again by the sweep.
        Ok(Job::Check { .. }) => Ok(()),
        Err(why) => {
            // Kept it would only come again: nobody can ever work on it.
            tracing::error!(message = %message, "a message that is no job was in the queue of deliveries: {why}");
            Ok(())
        }
    }
}

async fn bury(table: &Table, tenant: TenantId, id: DeliveryId, attempts: u32) -> Result<()> {
    let now = Timestamp::now();
    let buried = table
        .change::<Delivery>(key::delivery(tenant, id))
        .set("state", State::Dead)
        .set("ended_at", now)
        .set("last", "its message failed its worker again and again")
        .remove("due_at")
        .index(None)
        .when("state", State::Pending)
        .when("attempts", attempts)
        .send()
        .await?;
    let row = match buried {
        Some(row) => Some(row),
        // Killed before it was told, perhaps: told again, it is the same notice.
        None => table.find_now(key::delivery(tenant, id)).await?.filter(|row| row.state == State::Dead),
    };
    let Some(row) = row else { return Ok(()) };
    let detail = format!("{} could not be worked on and waits for a person", row.event_type);
    notice::give(table, tenant, "delivery_dead", id.to_string(), detail, row.ended_at.unwrap_or(now)).await
}
