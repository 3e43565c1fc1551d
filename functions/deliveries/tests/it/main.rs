//! The delivery engine against a real table and a receiver at the socket. Time is passed in, not waited for.

mod bury;
mod cost;
mod endpoint;
mod health_of_endpoints;
mod log;
mod route;
mod send;
mod sweep;
mod world;
