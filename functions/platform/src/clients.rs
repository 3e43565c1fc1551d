//! A tenant's clients: its own customers or subaccounts.

pub mod create;
pub mod get;
pub mod list;
mod rules;
mod shown;
pub mod update;
