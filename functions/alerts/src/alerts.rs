//! Alerts, as people see them and act on them.

pub mod act;
pub mod get;
pub mod list;
mod shown;

use shared::{
    Result,
    alert::Alert,
    boot::{Aws, Missing},
    gate::{Gate, Person},
    http::Call,
    id::AlertId,
    key,
    table::{Row, Table},
};

pub use shown::AlertView;

use make_operations::sight::Sight;

/// What working with one alert needs.
pub struct Deps {
    /// Who calls.
    pub gate: Gate,
    /// The table.
    pub table: Table,
}

impl Deps {
    /// What the functions are wired with.
    pub fn wire(aws: &Aws) -> Result<Self, Missing> {
        Ok(Self { gate: aws.gate()?, table: aws.table()? })
    }

    /// The alert that a path names, if the person may see it.
    async fn alert(&self, call: &Call, person: &Person) -> Result<Alert> {
        const NONE: shared::Error = shared::Error::NotFound { kind: Alert::KIND };
        let id: AlertId = call.part("id", Alert::KIND)?;
        let alert: Alert = self.table.get(key::alert(person.tenant, id)).await?;
        if Sight::from(person).sees(alert.subject.owner) { Ok(alert) } else { Err(NONE) }
    }
}
