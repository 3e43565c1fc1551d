//! The use cases of this area, against a real table.
#![cfg(test)]

mod act;
mod bounds;
mod clocks;
mod costs;
mod floods;
mod kinds;
mod notices;
mod rehearse;
mod rules;
mod world;

use world::{World, at};
