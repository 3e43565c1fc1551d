//! The use cases of this area, against a real table.

#![cfg(test)]

mod clients;
mod tenant;
