//! Where a month of Make.com usage ends, and what would make it cheaper.

pub mod advice;
mod ahead;
pub mod allowance;
pub mod forecast;
mod history;
pub mod model;
mod scenarios;
mod whose;

use shared::{
    Result,
    boot::{Aws, Missing},
    gate::Gate,
    table::Table,
};

/// What looking ahead needs.
pub struct Deps {
    /// Who may call.
    pub gate: Gate,
    /// The table.
    pub table: Table,
}

impl Deps {
    /// What the functions are wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()? })
    }
}

/// What this area adds to the OpenAPI document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(forecast::handle, allowance::handle, advice::handle))]
pub struct Api;
