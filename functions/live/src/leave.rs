//! The end of a connection: everything of it goes.

use shared::{
    Error, Result,
    id::TenantId,
    key,
    listener::{Listener, Presence},
    table::Table,
};

/// What changes under us is read again so many times.
const TRIES: u32 = 20;

/// Removes a connection with all that it follows, and frees its place among those of its person. The connection's own
/// row goes last: whoever is killed before that leaves it to be found again.
pub async fn leave(table: &Table, tenant: TenantId, connection: &str) -> Result<()> {
    for _ in 0..TRIES {
        let Some(listener) = table.find_now(key::listener(tenant, connection)).await? else { return Ok(()) };
        for channel in &listener.channels {
            table.delete(key::subscription(tenant, channel, connection)).await?;
        }
        free(table, &listener).await?;
        // It may have subscribed to something in the meantime.
        if table.delete_seen(listener_key(&listener), "revision", listener.revision).await? {
            return Ok(());
        }
    }
    Err(Error::unavailable("table", "a connection changes all the time"))
}

fn listener_key(listener: &Listener) -> key::Key<Listener> {
    key::listener(listener.tenant, &listener.connection)
}

/// Its person may open another one.
async fn free(table: &Table, listener: &Listener) -> Result<()> {
    for _ in 0..TRIES {
        let key = || key::presence(listener.tenant, &listener.subject);
        let Some(presence) = table.find_now(key()).await? else { return Ok(()) };
        let left: Vec<_> =
            presence.connections.iter().filter(|seat| seat.connection != listener.connection).cloned().collect();
        if left.len() == presence.connections.len() {
            return Ok(());
        }
        let freed = table
            .change::<Presence>(key())
            .set("connections", left)
            .set("revision", presence.revision + 1)
            .when("revision", presence.revision)
            .send()
            .await?;
        if freed.is_some() {
            return Ok(());
        }
    }
    Err(Error::unavailable("table", "a person's connections change all the time"))
}
