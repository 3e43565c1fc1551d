//! The use cases of this area, against a real table and the stand-in of the four vendors.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod begin;
mod callback;
mod disconnect;
mod providers;
mod show;
mod stage;
