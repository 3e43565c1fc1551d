//! Who may follow what, live and in its history.

use shared::{
    Error, Result,
    booking::{BOOKINGS, Subjects},
    gate::{Person, Role},
    key,
    live::Channel,
    table::Table,
};

/// Lets a person follow a channel: an owner all, a supervisor all but the tenant's own, an agent what is its own. A
/// booking that is not known is nobody's.
pub async fn check(table: &Table, person: &Person, channel: &Channel) -> Result<()> {
    let own = match (person.role, channel) {
        (Role::Owner | Role::Admin, _) => true,
        (Role::Supervisor, channel) => *channel != Channel::Tenant,
        (Role::Agent, Channel::User(id) | Channel::Provider(id)) => *id == person.subject,
        (Role::Agent, Channel::Booking(id)) => is_own(table, person, id).await?,
        (Role::Agent, Channel::Tenant) => false,
    };
    if own { Ok(()) } else { Err(Error::Forbidden("your role does not let you follow this")) }
}

async fn is_own(table: &Table, person: &Person, booking: &str) -> Result<bool> {
    let kept = table.find(key::kept(person.tenant, BOOKINGS, booking)).await?;
    let people = Subjects::default().completed(kept.as_ref());
    Ok(people.users.contains(&person.subject) || people.provider.as_ref() == Some(&person.subject))
}
