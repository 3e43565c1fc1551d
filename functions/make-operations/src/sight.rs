//! Whose scenarios a person may see.

use shared::{
    gate::{Person, Role},
    id::ClientId,
    scenario::{Owner, Scenario},
};

/// What a person may see: agents the clients', supervisors and above the company's and what is unmapped, too; people who
/// are limited to a client that one's alone.
#[derive(Clone, Copy, Debug)]
pub enum Sight {
    /// Everything.
    All,
    /// What runs for clients.
    Clients,
    /// What runs for this one.
    One(ClientId),
}

impl From<&Person> for Sight {
    fn from(person: &Person) -> Self {
        match person.client {
            Some(client) => Self::One(client),
            None if person.role >= Role::Supervisor => Self::All,
            None => Self::Clients,
        }
    }
}

impl Sight {
    /// Whether it reaches what runs for this owner.
    pub fn sees(self, owner: Owner) -> bool {
        match self {
            Self::All => true,
            Self::Clients => owner.client().is_some(),
            Self::One(client) => owner == Owner::Client(client),
        }
    }

    /// Whether it reaches the scenario on any day.
    pub fn has_seen(self, scenario: &Scenario) -> bool {
        matches!(self, Self::All) || scenario.mapping.iter().any(|mapped| self.sees(mapped.owner))
    }
}
