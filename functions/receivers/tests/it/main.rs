//! Everything at the socket: the stand-in plays Make's API, the table is in this process, the clock is moved by hand.

#![cfg(test)]

mod account;
mod cost;
mod get;
mod queue;
mod rules;
mod search;
mod token;
mod watch;
mod way;
mod weather;
mod world;
