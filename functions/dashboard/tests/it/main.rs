//! The use cases of this area, against a real table.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aggregate;
mod cron;
mod desk;
mod ingest;
mod kpi;
mod reckoning;
