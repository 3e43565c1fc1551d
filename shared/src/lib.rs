//! What every function of Crossdock stands on. `README.md` beside this tells where to look.

pub mod activity;
pub mod apikey;
pub mod automation;
pub mod booking;
pub mod boot;
pub mod connection;
pub mod cursor;
pub mod delivery;
pub mod egress;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod gate;
pub mod hour;
pub mod http;
pub mod id;
pub mod idempotency;
pub mod job;
pub mod jwt;
pub mod key;
pub mod limit;
pub mod listener;
pub mod live;
pub mod make;
pub mod metrics;
pub mod notice;
pub mod outcome;
pub mod queue;
pub mod raw;
pub mod receiver;
pub mod rotation;
pub mod secrets;
pub mod sign;
pub mod sketch;
pub mod snapshot;
pub mod socket;
pub mod source;
pub mod table;
pub mod tenant;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trace;
pub mod usage;

pub use error::{Error, Fault, Result};
