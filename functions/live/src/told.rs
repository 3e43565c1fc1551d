//! What the server says on a socket, word for word.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use shared::{Error, Result, live::Channel};

/// One message to a client.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Told<'a> {
    /// It follows a channel from behind `since` on; the numbers up to `head` come first.
    Subscribed {
        /// Which.
        channel: &'a Channel,
        /// The last number that the client has.
        since: u64,
        /// The last number of the channel.
        head: u64,
        /// When the connection ends.
        expires_at: Timestamp,
    },
    /// An event, with its number in the channel.
    Event {
        /// Which.
        channel: &'a Channel,
        /// One more than the last.
        number: u64,
        /// What webhooks deliver of it.
        event: &'a RawValue,
    },
    /// It follows a channel no longer.
    Unsubscribed {
        /// Which.
        channel: &'a Channel,
    },
    /// How it stands: in answer to a ping, and where a replay has to be asked for again.
    Pong {
        /// Now.
        at: Timestamp,
        /// When the connection ends.
        expires_at: Timestamp,
        /// The last number of each channel that it follows.
        heads: BTreeMap<String, u64>,
    },
    /// The connection will end.
    Closing {
        /// Why.
        reason: Reason,
        /// When.
        closes_at: Timestamp,
        /// What to do.
        detail: &'static str,
    },
    /// What it asked for is not done.
    Error {
        /// What to do about it.
        code: Code,
        /// Why.
        detail: String,
        /// What it was about.
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<&'a Channel>,
    },
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is two hours old.
    TwoHours,
    /// The token that opened it ends.
    TokenExpired,
    /// Its client says nothing.
    Idle,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Change the message.
    Invalid,
    /// Ask somebody with another role.
    Forbidden,
    /// Unsubscribe from something first.
    TooManySubscriptions,
    /// Try again later.
    Unavailable,
}

impl<'a> Told<'a> {
    /// The text that is sent.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|cause| Error::internal("a message does not serialize", cause))
    }

    /// What a client learns of an error.
    pub fn of_error(error: &Error, channel: Option<&'a Channel>) -> Self {
        let (code, detail) = match error {
            Error::Invalid(faults) => {
                let faults = faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.detail).trim().to_owned());
                (Code::Invalid, faults.collect::<Vec<_>>().join("; "))
            }
            Error::Forbidden(why) => (Code::Forbidden, (*why).to_owned()),
            Error::TooMany { retry_after } => {
                (Code::Unavailable, format!("you say too much at once; go on in {retry_after} s"))
            }
            error => (Code::Unavailable, error.public().into_owned()),
        };
        Self::Error { code, detail, channel }
    }
}
