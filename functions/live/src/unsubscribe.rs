//! A connection follows a channel no longer.

use shared::{Error, Result, key, listener::Listener, live::Channel, socket::Reached};

use crate::{pause, pump::Pump, told::Told};

/// What changes under us is read again so many times.
const TRIES: u32 = 20;

/// What it does not follow it need not leave: the answer is the same.
pub async fn run(pump: &Pump, listener: Listener, channel: &Channel) -> Result<Reached> {
    let connection = listener.connection.clone();
    remove(pump, listener, channel).await?;
    pump.sockets.post(&connection, &Told::Unsubscribed { channel }.text()?).await
}

async fn remove(pump: &Pump, mut listener: Listener, channel: &Channel) -> Result<()> {
    for attempt in 0..TRIES {
        if !listener.channels.remove(channel) {
            return Ok(());
        }
        let key = || key::listener(listener.tenant, &listener.connection);
        let follows = pump
            .table
            .change::<Listener>(key())
            .set("channels", &listener.channels)
            .set("revision", listener.revision + 1)
            .when("revision", listener.revision);
        let gone = key::subscription(listener.tenant, channel, &listener.connection);
        match pump.table.transact().change(follows).delete(&gone).send().await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // An event was at the subscription.
            Err(error) if error.is_transient() && attempt + 1 < TRIES => {}
            Err(error) => return Err(error),
        }
        pause(attempt).await;
        listener = pump.table.get(key()).await?;
    }
    Err(Error::unavailable("table", "the connection changes all the time"))
}
