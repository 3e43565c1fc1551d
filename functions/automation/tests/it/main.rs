//! The use cases of this area, against a real table.
#![cfg(test)]

mod activate;
mod create;
mod list;
mod rotate_secret;
mod stats;
mod templates;
mod webhook;
mod world;

use world::{MAKE, Made, World, forwarding, from_template, pointers};
