//! The use cases of this area, against a real table.
#![cfg(test)]

mod ledger;
mod metrics;
mod sync;
mod world;

use world::{World, pointers, row};
