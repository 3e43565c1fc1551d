//! The use cases of this area, against a real table.
#![cfg(test)]

mod desk;
mod ledger;
mod metrics;
mod pull;
mod rates;
mod refold;
mod runs;
mod scenarios;
mod sync;
mod webhook;
mod world;

use world::{World, pointers, row};
