//! The deployed stack, as its users meet it: the template, the real binaries, IAM enforced, outside vendors at the socket.
//!
//! All tests share one stack, each has a tenant of its own.

#![cfg(test)]

mod automation;
mod bookings;
mod crm;
mod dashboard;
mod door;
mod faults;
mod hygiene;
mod live;
mod make_operations;
mod samples;
mod world;
