//! Live channels: numbers, the door, and what connections are told.

#![cfg(test)]

mod achieved;
mod authorize;
mod batch;
mod connect;
mod cost;
mod follow;
mod history;
mod message;
mod numbers;
mod rights;
mod sweep;
mod world;
