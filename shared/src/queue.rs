//! Queues: of deliveries to be tried, and of jobs to go on with.

use std::time::Duration;

use serde::Serialize;

use crate::{
    error::{Error, Result},
    id::TenantId,
};

/// The longest that SQS holds a message back.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// What stands in a queue.
pub trait Message: Serialize {
    /// Whose it is.
    fn tenant(&self) -> TenantId;
}

/// A queue.
#[derive(Clone)]
pub struct Queue(Way);

#[derive(Clone)]
enum Way {
    Sqs {
        client: aws_sdk_sqs::Client,
        url: String,
    },
    #[cfg(feature = "testing")]
    Kept(Kept),
}

/// What was sent, with its delay: a test hands it on when it likes, twice if it likes, or never.
#[cfg(feature = "testing")]
pub type Kept = std::sync::Arc<std::sync::Mutex<Vec<(serde_json::Value, Duration)>>>;

impl Queue {
    /// The queue at that address.
    pub fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self(Way::Sqs { client, url })
    }

    /// A queue whose messages a test takes out.
    #[cfg(feature = "testing")]
    pub fn kept() -> (Self, Kept) {
        let kept = Kept::default();
        (Self(Way::Kept(kept.clone())), kept)
    }

    /// Sends one message, to be seen after `delay` (at most [`LONGEST_DELAY`]). The tenant is its group: SQS serves the
    /// groups of a standard queue fairly, so that one tenant's backlog does not delay the others.
    pub async fn send(&self, message: &impl Message, delay: Duration) -> Result<()> {
        let (client, url) = match &self.0 {
            Way::Sqs { client, url } => (client, url),
            #[cfg(feature = "testing")]
            Way::Kept(kept) => {
                let message = serde_json::to_value(message)
                    .map_err(|cause| Error::internal("a message does not serialize", cause))?;
                kept.lock().expect("no test panics while sending").push((message, delay));
                return Ok(());
            }
        };
        let body =
            serde_json::to_string(message).map_err(|cause| Error::internal("a message does not serialize", cause))?;
        client
            .send_message()
            .queue_url(url)
            .message_group_id(message.tenant().to_string())
            .message_body(body)
            .delay_seconds(i32::try_from(delay.min(LONGEST_DELAY).as_secs()).unwrap_or(900))
            .send()
            .await
            .map_err(|cause| Error::unavailable("queue", cause))?;
        Ok(())
    }
}
