//! The use cases of this area, against a real table and a receiver at the socket.
#![cfg(test)]

mod doctor;
mod doctor_of_automations;
mod get;
mod outcome;
mod world;

use world::{HOOK, World, pointers};
