//! A queue that we send to.

use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, Result};

/// The longest that SQS holds a message back.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// A queue.
#[derive(Clone)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    /// The queue at that address.
    pub fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { client, url }
    }

    /// Sends one message, to be seen after `delay` (at most [`LONGEST_DELAY`]).
    pub async fn send(&self, message: &impl Serialize, delay: Duration) -> Result<()> {
        let body = serde_json::to_string(message).map_err(|cause| Error::internal("a message does not serialize", cause))?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .delay_seconds(i32::try_from(delay.min(LONGEST_DELAY).as_secs()).unwrap_or(900))
            .send()
            .await
            .map_err(|cause| Error::unavailable("queue", cause))?;
        Ok(())
    }
}
