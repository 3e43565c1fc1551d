//! The delivery engine against a real table and a receiver at the socket. Time is passed in, not waited for.

#![cfg(test)]

mod admin;
mod bury;
mod cost;
mod health_of_endpoints;
mod jobs;
mod log;
mod mail;
mod replay;
mod route;
mod send;
mod stats;
mod sweep;
mod turn;
mod world;
