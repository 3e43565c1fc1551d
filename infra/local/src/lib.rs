//! The whole stack on one machine: the same `template.yaml` and the same functions as on AWS,
//! in an emulator, with a stand-in for the outside world. For people (`cargo run -p local`) and
//! for the end-to-end tests ([`testing::stack`]) alike.

pub mod binaries;
pub mod deploy;
pub mod emulator;
mod environment;
pub mod error;
mod gateway;
mod intrinsics;
pub mod paths;
pub mod progress;
mod proxy;
pub mod python;
pub mod seed;
pub mod stack;
pub mod standin;
pub mod template;
pub mod testing;
pub mod watch;
