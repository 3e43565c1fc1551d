//! The deployed stack, as its users meet it: the template, the real binaries, IAM enforced, outside vendors at the socket.
//!
//! All tests share one stack, each has a tenant of its own.

#![cfg(test)]

mod administration;
mod alerts;
mod automation;
mod billing;
mod bookings;
mod completeness;
mod crm;
mod dashboard;
mod door;
mod faults;
mod hygiene;
mod live;
mod make_operations;
mod receivers;
mod samples;
mod world;
