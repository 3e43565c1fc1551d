//! The use cases of this area, against a real table and a receiver at the socket.
#![cfg(test)]

mod create;
mod delete;
mod disable;
mod enable;
mod get;
mod list;
mod mail;
mod rotate_secret;
mod test;
mod update;
mod validate;
mod world;

use world::{HOOK, KEY, Made, World, etag, pointers};
