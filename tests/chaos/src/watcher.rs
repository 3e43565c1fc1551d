//! A live subscriber: follows channels over a WebSocket as a client should, whatever breaks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::{id::EventId, live::Channel};
use tokio::task::AbortHandle;
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::Result;

/// How often it says that it is there, and is told the last number of its channels.
const PING: Duration = Duration::from_secs(20);
/// Before it asks again for what was not worked on: a person is brought what it missed 20 times a minute.
const REST: Duration = Duration::from_secs(3);
/// Before it connects again.
const BREATH: Duration = Duration::from_millis(300);

/// One event, as it was heard.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// Its number.
    pub number: u64,
    /// The event.
    pub event: EventId,
    /// When.
    pub at: Timestamp,
}

/// What was heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// In each channel, without what came twice.
    pub by_channel: BTreeMap<Channel, Vec<Said>>,
    /// Messages that came a second time: a client drops them.
    pub doubles: usize,
    /// Numbers that were skipped, so that the client asked again.
    pub gaps: usize,
    /// Connections.
    pub connections: usize,
}

impl Heard {
    fn last(&self, channel: &Channel) -> u64 {
        self.by_channel.get(channel).and_then(|stream| stream.last()).map_or(0, |said| said.number)
    }

    /// Takes one message. The channel that has to be asked again, where one was skipped.
    fn take(&mut self, message: &Value, at: Timestamp) -> Option<Channel> {
        let channel: Channel = message["channel"].as_str()?.parse().ok()?;
        let number = message["number"].as_u64()?;
        let event = message["event"]["event_id"].as_str()?.parse().ok()?;
        match number.checked_sub(self.last(&channel)) {
            Some(1) => {
                self.by_channel.entry(channel).or_default().push(Said { number, event, at });
                None
            }
            Some(2..) => {
                self.gaps += 1;
                Some(channel)
            }
            Some(0) | None => {
                self.doubles += 1;
                None
            }
        }
    }
}

/// A subscriber at work; it ends with its value.
pub struct Watcher {
    heard: Arc<Mutex<Heard>>,
    task: AbortHandle,
}

impl Watcher {
    /// Follows these channels from their beginning.
    pub fn follow(address: String, channels: Vec<Channel>) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        held(&heard).by_channel = channels.into_iter().map(|channel| (channel, Vec::new())).collect();
        let hearing = heard.clone();
        let task = tokio::spawn(async move {
            loop {
                // Whatever ended the connection: what was missed comes with the next one.
                let _ = listen(&address, &hearing).await;
                tokio::time::sleep(BREATH).await;
            }
        });
        Self { heard, task: task.abort_handle() }
    }

    /// What was heard so far.
    pub fn heard(&self) -> Heard {
        held(&self.heard).clone()
    }

    /// How far it is in a channel.
    pub fn last(&self, channel: &Channel) -> u64 {
        held(&self.heard).last(channel)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn held(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(address: &str, heard: &Mutex<Heard>) -> Result<()> {
    let (socket, _) = connect_async(address).await?;
    let (mut say, mut hear) = socket.split();
    let channels: Vec<Channel> = {
        let mut heard = held(heard);
        heard.connections += 1;
        heard.by_channel.keys().cloned().collect()
    };
    for channel in &channels {
        let message = subscribe(channel, &held(heard));
        say.send(message).await?;
    }
    let mut ping = tokio::time::interval(PING);
    loop {
        let again: Vec<Channel> = tokio::select! {
            _ = ping.tick() => {
                say.send(Message::text(r#"{"action":"ping"}"#)).await?;
                continue;
            }
            message = hear.next() => match message.transpose()? {
                None => return Ok(()),
                Some(Message::Text(text)) => {
                    let said: Value = serde_json::from_str(&text)?;
                    match said["type"].as_str() {
                        Some("event") => held(heard).take(&said, Timestamp::now()).into_iter().collect(),
                        Some("pong") => behind(&held(heard), &said["heads"]),
                        Some("error") => {
                            tokio::time::sleep(REST).await;
                            said["channel"].as_str().and_then(|channel| channel.parse().ok()).into_iter().collect()
                        }
                        _ => Vec::new(),
                    }
                }
                Some(_) => Vec::new(),
            },
        };
        for channel in again {
            let message = subscribe(&channel, &held(heard));
            say.send(message).await?;
        }
    }
}

/// The channels whose last number is further than what was heard.
fn behind(heard: &Heard, heads: &Value) -> Vec<Channel> {
    let heads = heads.as_object().into_iter().flatten();
    heads
        .filter_map(|(channel, head)| Some((channel.parse::<Channel>().ok()?, head.as_u64()?)))
        .filter(|(channel, head)| *head > heard.last(channel))
        .map(|(channel, _)| channel)
        .collect()
}

/// What asks for a channel from behind the last number that was heard.
fn subscribe(channel: &Channel, heard: &Heard) -> Message {
    let since = heard.last(channel);
    Message::text(json!({ "action": "subscribe", "channel": channel, "since": since }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> Value {
        json!({ "type": "event", "channel": "tenant", "number": number, "event": { "event_id": EventId::new() } })
    }

    #[test]
    fn a_second_message_is_dropped_and_a_skipped_number_asked_for_again() {
        let mut heard = Heard::default();
        let again: Vec<_> = [1, 2, 2, 1, 4].map(|number| heard.take(&event(number), Timestamp::now())).into();

        assert_eq!(again, [None, None, None, None, Some(Channel::Tenant)]);
        assert_eq!((heard.last(&Channel::Tenant), heard.doubles, heard.gaps), (2, 2, 1));
        assert_eq!(heard.take(&event(3), Timestamp::now()), None);
    }

    #[test]
    fn a_pong_tells_which_channels_have_more() {
        let mut heard = Heard::default();
        heard.take(&event(1), Timestamp::now());
        assert_eq!(behind(&heard, &json!({ "tenant": 1, "booking:b": 0 })), []);
        assert_eq!(behind(&heard, &json!({ "tenant": 3 })), [Channel::Tenant]);
    }
}
