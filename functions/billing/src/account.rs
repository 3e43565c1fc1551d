//! Whose months a person may see.

use shared::{
    Error, Result,
    gate::Person,
    http::Call,
    id::TenantId,
    key,
    scenario::Owner,
    table::{Row, Table},
    tenant::Client,
};

/// In place of a client's id.
const COMPANY: &str = "company";

/// A client, or the company.
pub struct Account {
    /// Whose.
    pub tenant: TenantId,
    /// Which of the two.
    pub owner: Owner,
    /// The client's slug.
    pub slug: Option<String>,
    /// The client's name.
    pub name: Option<String>,
}

/// The one that the path names, if the person may see it. Another client's answers like one that does not exist.
pub async fn named(table: &Table, person: &Person, call: &Call) -> Result<Account> {
    let unknown = || Error::NotFound { kind: Client::KIND };
    let tenant = person.tenant;
    let word: String = call.part("client_id", Client::KIND)?;
    if word == COMPANY {
        return match person.client {
            None => Ok(Account { tenant, owner: Owner::Company, slug: None, name: None }),
            Some(_) => Err(unknown()),
        };
    }
    let id = word.parse().map_err(|_| unknown())?;
    if person.client.is_some_and(|own| own != id) {
        return Err(unknown());
    }
    let client = table.get(key::client(tenant, id)).await?;
    Ok(Account { tenant, owner: Owner::Client(id), slug: Some(client.slug), name: Some(client.name) })
}
