//! The use cases of this area, against a real table.
#![cfg(test)]

mod closing;
mod corrections;
mod costs;
mod shown;
mod world;
