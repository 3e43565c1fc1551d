//! A client's month: what was done and what it cost, closed once, corrected by later lines.

mod account;
mod book;
pub mod close;
mod comma;
pub mod correct;
mod count;
pub mod get;
mod lines;
pub mod list;
mod shown;

use shared::{
    Result,
    boot::{Aws, Missing},
    gate::Gate,
    table::Table,
};

/// What billing needs.
pub struct Deps {
    /// Who may call.
    pub gate: Gate,
    /// The table, read consistently: what is closed is closed by what is stored.
    pub table: Table,
}

impl Deps {
    /// What the functions are wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()?.consistent() })
    }
}

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(list::handle, get::handle, close::handle, correct::handle))]
pub struct Api;
