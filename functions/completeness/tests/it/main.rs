//! The use cases of this area, against a real table and the stand-in of Supabase.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod faults;
mod findings;
mod once;
mod reconcile;
mod set_source;
mod show;
mod world;
