//! The delivery engine against a real table and a receiver at the socket. Time is passed in, not waited for.

#![cfg(test)]

mod bury;
mod cost;
mod endpoint;
mod health_of_endpoints;
mod log;
mod route;
mod send;
mod sweep;
mod world;
