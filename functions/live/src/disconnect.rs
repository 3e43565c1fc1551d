//! `$disconnect`: forgets a connection. It does not come for every connection; the sweep finds the others.

use shared::{Result, socket::Said, table::Table};

use crate::leave::leave;

/// May come twice.
pub async fn handle(table: &Table, said: Said) -> Result<()> {
    leave(table, said.person.tenant, &said.connection).await
}
